# Twice as wide behind the backbone.
_base_ = 'recipe.py'
method_name = 'width of the head'
model = dict(
    neck=dict(out_channels=128), decode_head=dict(in_channels=[128] * 4, channels=64)
)
