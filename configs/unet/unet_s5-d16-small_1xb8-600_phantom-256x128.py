# Row 'UNet' of Table 1 in small.
_base_ = [
    '../_base_/models/unet_s5-d16-small.py',
    '../_base_/datasets/phantom_256x128.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]
method_name = 'UNet'
