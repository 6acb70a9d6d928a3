# From the ready weights, on the cases of a split file that make_splits.py has drawn: all
# of them, and nothing is selected. The val.txt there is for choosing the rates.
_base_ = (
    '../../../../configs/seam/seam-keymass-votes_r18-fpn_1xb4-200_finetune_vpi-512x128.py'
)
train_dataloader = dict(
    dataset=dict(
        split='trainval', split_files=dict(train=None, val='val.txt', test='test.txt')
    )
)
val_dataloader = None
val_evaluator = None
val_cfg = None
