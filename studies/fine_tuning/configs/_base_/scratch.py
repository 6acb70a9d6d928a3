# From scratch, for as long as the demo and at its rate: three times the iterations, since
# too short a schedule would stand for too few cases.
_base_ = 'ready.py'
load_from = None
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=2e-5, by_epoch=False)]
train_cfg = dict(max_iters=600)
