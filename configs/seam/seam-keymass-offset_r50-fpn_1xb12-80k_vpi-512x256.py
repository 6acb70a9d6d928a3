# The center regression made to matter: each pixel's own estimate of its center.
_base_ = 'seam-keymass_r50-fpn_1xb12-80k_vpi-512x256.py'
method_name = 'SEAM, key mass, felt offset'
model = dict(
    decode_head=dict(
        loss_center=dict(type='CenterRegressionLoss', mode='offset', loss_weight=0.1)
    )
)
