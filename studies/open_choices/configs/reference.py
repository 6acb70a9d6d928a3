# What the others differ from in one thing: the demo with a shorter schedule. The last
# checkpoint is scored, so that nothing need be validated on the way. With 300 iterations
# some runs had not learned the ribs yet, which hid everything else.
_base_ = '../../../configs/seam/seam-keymass_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'reference'
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=2e-5, by_epoch=False)]
train_cfg = dict(max_iters=450, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=150))
