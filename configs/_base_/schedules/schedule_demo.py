# Minutes on two CPU cores: a small network from scratch takes a higher rate.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-3), clip_grad=None
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=2e-5, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=600, val_interval=100)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The best is chosen on the validation split; without one, the last is kept.
    checkpoint=dict(
        type='SafeCheckpointHook',
        by_epoch=False,
        interval=100,
        max_keep_ckpts=1,
        save_best='bone/mDice',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    # What mmseg's tools/test.py switches on with --show-dir.
    visualization=dict(type='OverlayHook', val_images=0),
)
