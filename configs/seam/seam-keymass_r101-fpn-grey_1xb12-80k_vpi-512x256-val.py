# The group's later host: ResNetV1c-101 with one input channel (so, not pretrained).
_base_ = 'seam-keymass_r50-fpn_1xb12-80k_vpi-512x256-val.py'
model = dict(
    data_preprocessor=dict(mean=[75.99], std=[84.15]),
    backbone=dict(depth=101, in_channels=1, init_cfg=None),
)
