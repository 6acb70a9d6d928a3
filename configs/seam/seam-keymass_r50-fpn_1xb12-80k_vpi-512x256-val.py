# For own experiments: like its namesake, but the best checkpoint is chosen on a
# validation split carved from the training cases.
_base_ = [
    '../_base_/models/fpn_r50.py',
    '../_base_/datasets/vpi_512x256.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/default_runtime.py',
]
model = dict(decode_head=dict(type='SEAMHead', normalization='key_mass'))
