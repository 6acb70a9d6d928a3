# Row 'NonLocal' of Table 1 as mmseg builds it: its head on the dilated ResNet-50. Its
# authors have no segmentation head.
_base_ = [
    '../_base_/models/r50-d8.py',
    '../_base_/datasets/vpi_512x256_trainval.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
method_name = 'NonLocal'
model = dict(decode_head=dict(type='NLHead', reduction=2, use_scale=True))
