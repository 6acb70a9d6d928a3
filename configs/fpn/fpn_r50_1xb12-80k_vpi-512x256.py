# Row 'Vanilla' of Table 1, and the base of every other row.
_base_ = [
    '../_base_/models/fpn_r50.py',
    '../_base_/datasets/vpi_512x256_trainval.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
method_name = 'Vanilla FPN'
