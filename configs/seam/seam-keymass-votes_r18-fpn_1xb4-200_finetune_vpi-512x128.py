# The ready weights, fine-tuned on a few cases of your own; validated where there is a
# val.txt. The learning rate is the best of those in studies/fine_tuning.
_base_ = [
    '../_base_/models/seam-votes_r18-small.py',
    '../_base_/datasets/vpi_512x128.py',
    '../_base_/schedules/schedule_demo.py',
    '../_base_/default_runtime.py',
]
load_from = 'seam_seg://ready'
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=1e-6, by_epoch=False)]
train_cfg = dict(max_iters=200, val_interval=50)
