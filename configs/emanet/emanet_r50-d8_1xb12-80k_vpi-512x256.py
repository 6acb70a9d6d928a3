# Row 'EMANet' of Table 1 as its authors built it: mmseg's head on the dilated ResNet-50,
# without mmseg's concatenation with the input, which theirs has not.
_base_ = [
    '../_base_/models/r50-d8.py',
    '../_base_/datasets/vpi_512x256_trainval.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
method_name = 'EMANet'
ema = dict(ema_channels=512, num_bases=64, num_stages=3, concat_input=False)
model = dict(decode_head=dict(type='EMAHead', channels=256, **ema))
