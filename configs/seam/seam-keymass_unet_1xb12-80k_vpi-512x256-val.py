# SEAMHead on another host: UNet, one feature map at full resolution, from scratch.
_base_ = [
    '../_base_/models/unet_s5-d16.py',
    '../_base_/datasets/vpi_512x256.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(type='SEAMHead', normalization='key_mass'))
