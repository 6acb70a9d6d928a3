# A running mean of the weights, over some 500 iterations, is what is validated and kept.
_base_ = 'recipe.py'
method_name = 'EMA'
custom_hooks = [
    *_base_.custom_hooks,
    dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.002),
]
