# The paper's split: all of train.txt is trained on, nothing is selected, and the last
# checkpoint is tested.
_base_ = 'vpi_512x256.py'
train_dataloader = dict(dataset=dict(split='trainval'))
val_dataloader = None
val_evaluator = None
val_cfg = None
