# Adam, 1e-4 to 5e-6 by cosine annealing (paper, Sec. 3.2). The paper gives no number of
# iterations; 80,000 fit the 7 hours that it reports.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4), clip_grad=None
)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=5e-6, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80000, val_interval=4000)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The best is chosen on the validation split; without one, the last is kept.
    checkpoint=dict(
        type='SafeCheckpointHook',
        by_epoch=False,
        interval=4000,
        max_keep_ckpts=2,
        save_best='bone/mDice',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    # What mmseg's tools/test.py switches on with --show-dir.
    visualization=dict(type='OverlayHook', val_images=0),
)
# --cfg-options auto_scale_lr.enable=True scales the rate with the total batch, linearly.
auto_scale_lr = dict(enable=False, base_batch_size=12)
