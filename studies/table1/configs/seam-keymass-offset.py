_base_ = 'seam-keymass.py'
method_name = 'SEAM, key mass, felt offset'
model = dict(
    decode_head=dict(
        loss_center=dict(type='CenterRegressionLoss', mode='offset', loss_weight=0.1)
    )
)
