# A center regression that is felt in small: in pixels of the key, whose mass counts near
# a bone alone; about 0.3 of the key's cross entropy by the gradient (docs/choices.md).
_base_ = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'SEAM, key mass, felt center'
model = dict(
    decode_head=dict(
        loss_center=dict(
            type='CenterRegressionLoss',
            in_pixels=True,
            smooth_l1_beta=0.5,
            reach=2.0,
            loss_weight=0.07,
        )
    )
)
