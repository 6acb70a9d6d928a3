# Row 'DANet' of Table 1 as its authors built it: mmseg's head on the dilated ResNet-50.
_base_ = [
    '../_base_/models/r50-d8.py',
    '../_base_/datasets/vpi_512x256_trainval.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
method_name = 'DANet'
model = dict(decode_head=dict(type='DAHead', pam_channels=64))
