# Both at once.
_base_ = ['width.py']
method_name = 'width and EMA'
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.002),
]
