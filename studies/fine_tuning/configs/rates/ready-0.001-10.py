_base_ = '../ready-10.py'
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=1e-3 / 100, by_epoch=False)]
