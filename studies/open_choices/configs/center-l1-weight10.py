# A threshold of half a row of a patch (256 rows, in [0, 1]) makes smooth-l1 nearly an l1:
# a shift by one row has the gradient that one by the whole patch has under 1.
_base_ = 'reference.py'
method_name = 'center-l1-weight10'
model = dict(
    decode_head=dict(
        loss_center=dict(
            type='CenterRegressionLoss', smooth_l1_beta=1 / 512, loss_weight=10.0
        )
    )
)
