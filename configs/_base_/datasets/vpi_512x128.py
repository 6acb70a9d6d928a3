# Own data for the small models, at half the paper's resolution. Validated on the cases of
# val.txt; without it all of train.txt is trained on, and the last checkpoint is kept.
_base_ = 'phantom_512x128.py'
data_root = 'data/vpi'
train_dataloader = dict(dataset=dict(data_root=data_root, val_fraction=0))
val_dataloader = dict(dataset=dict(data_root=data_root, val_fraction=0))
test_dataloader = dict(dataset=dict(data_root=data_root, val_fraction=0))
