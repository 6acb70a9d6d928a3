# From scratch: the common start is that of the FPN.
_base_ = '_base_/regime.py'
method_name = 'UNet'
model = dict(
    backbone=dict(_delete_=True, type='UNet', base_channels=24, strides=(2, 1, 1, 1, 1)),
    neck=None,
    decode_head=dict(in_channels=[24], in_index=[4], feature_strides=[1], channels=24),
)
