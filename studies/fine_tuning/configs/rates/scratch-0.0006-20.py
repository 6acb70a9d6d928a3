_base_ = '../scratch-20.py'
optim_wrapper = dict(optimizer=dict(lr=6e-4))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=6e-4 / 100, by_epoch=False)]
