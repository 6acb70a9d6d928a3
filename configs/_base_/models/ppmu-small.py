# A narrow PPMU, from scratch, for two CPU cores (3.3 M parameters).
_base_ = 'ppmu.py'
model = dict(
    backbone=dict(base_channels=16, init_cfg=None),
    decode_head=dict(in_channels=8, channels=8),
)
