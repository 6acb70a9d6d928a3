# The same as far as two CPU cores get in an hour.
_base_ = 'gpu.py'
train_dataloader = dict(batch_size=4, num_workers=1)
val_dataloader = dict(num_workers=1)
train_cfg = dict(max_iters=300, val_interval=50)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
