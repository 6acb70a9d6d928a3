# Row 'UNet' of Table 1.
_base_ = [
    '../_base_/models/unet_s5-d16.py',
    '../_base_/datasets/vpi_512x256_trainval.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
method_name = 'UNet'
