# A narrow FPN on half a ResNet-18, from scratch, for two CPU cores (3.1 M parameters).
_base_ = 'fpn_r50.py'
model = dict(
    backbone=dict(depth=18, base_channels=32, stem_channels=32, init_cfg=None),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
    decode_head=dict(in_channels=[64, 64, 64, 64], channels=32),
)
