_base_ = 'reference.py'
method_name = 'center-offset-instance'
model = dict(
    decode_head=dict(loss_center=dict(type='CenterRegressionLoss', mode='offset'))
)
