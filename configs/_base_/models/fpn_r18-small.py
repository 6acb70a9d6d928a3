# A narrow FPN on ResNet-18, from scratch, for two CPU cores.
_base_ = 'fpn_r50.py'
model = dict(
    backbone=dict(depth=18, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=64),
    decode_head=dict(in_channels=[64, 64, 64, 64], channels=32))
