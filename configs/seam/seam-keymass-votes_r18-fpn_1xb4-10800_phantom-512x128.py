# The ready weights (make weights).
_base_ = [
    '../_base_/models/seam-votes_r18-small.py',
    '../_base_/datasets/phantom_512x128.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]
method_name = 'SEAM, key mass, center votes'
# A tenth of so many cases is enough to choose among checkpoints.
train_dataloader = dict(dataset=dict(val_fraction=0.1))
val_dataloader = dict(dataset=dict(val_fraction=0.1))
test_dataloader = dict(dataset=dict(val_fraction=0.1))  # for split='val'
train_cfg = dict(max_iters=10800, val_interval=1800)
default_hooks = dict(checkpoint=dict(interval=1800))
