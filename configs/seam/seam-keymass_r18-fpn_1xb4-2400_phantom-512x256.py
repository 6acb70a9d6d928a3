# The ready weights (make weights): the small SEAM model at the paper's input size.
_base_ = [
    '../_base_/models/fpn_r18-small.py', '../_base_/datasets/vpi_512x256.py',
    '../_base_/schedules/schedule_demo.py', '../_base_/default_runtime.py'
]
model = dict(decode_head=dict(type='SEAMHead', normalization='key_mass'))
train_dataloader = dict(batch_size=4, num_workers=1)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=2400, eta_min=2e-5, by_epoch=False)
]
train_cfg = dict(max_iters=2400, val_interval=300)
