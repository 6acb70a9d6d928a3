_base_ = '../ready-1.py'
optim_wrapper = dict(optimizer=dict(lr=3e-05))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=3e-05 / 100, by_epoch=False)]
