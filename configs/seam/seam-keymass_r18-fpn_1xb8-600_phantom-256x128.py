# The demo: a small SEAM model that two CPU cores train on the phantom in minutes.
_base_ = [
    '../_base_/models/fpn_r18-small.py', '../_base_/datasets/phantom_256x128.py',
    '../_base_/schedules/schedule_demo.py', '../_base_/default_runtime.py'
]
model = dict(decode_head=dict(type='SEAMHead', normalization='key_mass'))
