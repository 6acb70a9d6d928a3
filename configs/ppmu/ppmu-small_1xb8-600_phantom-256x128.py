# Row 'PPMU' of Table 1 in small.
_base_ = [
    '../_base_/models/ppmu-small.py',
    '../_base_/datasets/phantom_256x128.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]
method_name = 'PPMU'
