# Own data for the small models: half the paper's resolution, all of train.txt trained on.
_base_ = 'phantom_256x128.py'
data_root = 'data/vpi'
train_dataloader = dict(dataset=dict(data_root=data_root, split='trainval'))
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(dataset=dict(data_root=data_root))
