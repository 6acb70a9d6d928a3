# Every layer half again as wide.
_base_ = 'recipe.py'
method_name = 'width'
model = dict(
    backbone=dict(base_channels=48, stem_channels=48),
    neck=dict(in_channels=[48, 96, 192, 384], out_channels=96),
    decode_head=dict(in_channels=[96] * 4, channels=48),
)
