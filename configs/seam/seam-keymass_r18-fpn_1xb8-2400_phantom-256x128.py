# The ready weights (make weights): as the demo, but trained four times as long.
_base_ = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128.py'
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=2e-5, by_epoch=False)]
train_cfg = dict(max_iters=2400, val_interval=400)
