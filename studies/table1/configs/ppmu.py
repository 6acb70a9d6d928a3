# From scratch: the common start is that of the FPN.
_base_ = '_base_/regime.py'
method_name = 'PPMU'
model = dict(
    backbone=dict(_delete_=True, type='PPMU', base_channels=16),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=8,
        in_index=0,
        channels=8,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=4,
        norm_cfg=_base_.norm_cfg,
        align_corners=False,
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            dict(type='DiceLoss', use_sigmoid=False, naive_dice=True, ignore_index=0),
        ],
    ),
)
