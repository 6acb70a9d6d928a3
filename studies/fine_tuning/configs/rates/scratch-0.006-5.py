_base_ = '../scratch-5.py'
optim_wrapper = dict(optimizer=dict(lr=6e-3))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=6e-3 / 100, by_epoch=False)]
