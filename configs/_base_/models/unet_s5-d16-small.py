# A narrow UNet, from scratch, for two CPU cores (4.1 M parameters). As the other small
# networks it begins with a stride, without which it costs four times as much.
_base_ = 'unet_s5-d16.py'
model = dict(
    backbone=dict(base_channels=24, strides=(2, 1, 1, 1, 1)),
    decode_head=dict(in_channels=[24], channels=24),
)
