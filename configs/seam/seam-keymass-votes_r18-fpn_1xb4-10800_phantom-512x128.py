# The ready weights (make weights): whole images of many families, and a vote of each
# pixel for the center of its bone, by which bones that touch are told apart.
_base_ = [
    '../_base_/models/fpn_r18-small.py',
    '../_base_/datasets/phantom_512x128.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]
method_name = 'SEAM, key mass, center votes'
model = dict(
    decode_head=dict(type='SEAMHead', normalization='key_mass', center_votes=True)
)
train_cfg = dict(max_iters=10800, val_interval=1200)
default_hooks = dict(checkpoint=dict(interval=1200))
