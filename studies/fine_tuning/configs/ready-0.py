# The ready weights as they are: nothing is trained.
_base_ = '../../../configs/seam/seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128.py'
method_name = 'ready-0'
load_from = 'seam_seg://ready'
train_dataloader = None
train_cfg = None
optim_wrapper = None
param_scheduler = None
