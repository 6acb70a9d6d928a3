# From the ready weights, on the cases of a split file that make_splits.py has drawn.
_base_ = '../../../../configs/seam/seam-keymass_r18-fpn_1xb8-200_finetune_vpi-256x128.py'
train_dataloader = dict(
    dataset=dict(split_files=dict(train=None, val='val.txt', test='test.txt'))
)
