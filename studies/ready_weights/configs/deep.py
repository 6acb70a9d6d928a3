# mmseg's auxiliary head on the third map of the neck, at the weight usual there.
_base_ = 'recipe.py'
method_name = 'deep supervision'
model = dict(
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=64,
        in_index=2,
        channels=32,
        num_convs=1,
        num_classes=4,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4),
    )
)
