# The paper's model from scratch, its schedule shortened, on a validation split.
_base_ = '../../../configs/seam/seam-keymass_r50-fpn_1xb12-80k_vpi-512x256-val.py'
method_name = 'SEAM'
model = dict(backbone=dict(init_cfg=None), decode_head=dict(normalization=None))
train_dataloader = dict(num_workers=4)
train_cfg = dict(max_iters=2000, val_interval=200)
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1))
