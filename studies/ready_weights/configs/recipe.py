# The recipe of the ready weights for a third of its iterations: what screening compares
# the others with. The votes' loss weighs 10 here, as it did before screening was done.
_base_ = '../../../configs/seam/seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128.py'
method_name = 'recipe'
train_cfg = dict(max_iters=3600)
model = dict(
    decode_head=dict(
        loss_votes=dict(type='CenterRegressionLoss', mode='votes', loss_weight=10.0)
    )
)
