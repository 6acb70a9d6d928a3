# Row 'Vanilla' of Table 1 in small, for two CPU cores, and the base of the other rows.
_base_ = [
    '../_base_/models/fpn_r18-small.py',
    '../_base_/datasets/phantom_256x128.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]
method_name = 'Vanilla FPN'
