# One center per class.
_base_ = 'reference.py'
method_name = 'center-centroid-class'
model = dict(
    decode_head=dict(loss_center=dict(type='CenterRegressionLoss', segments='class'))
)
