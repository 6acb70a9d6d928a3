# PPMU: VGG11's encoder, a decoder with pyramid pooling, and one 1x1 convolution.
_base_ = 'fpn_r50.py'
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(
        _delete_=True,
        type='PPMU',
        in_channels=3,
        base_channels=64,
        norm_cfg=norm_cfg,
        # Wants torchvision, for the address. Without: --cfg-options
        # model.backbone.init_cfg=None
        init_cfg=dict(
            type='Pretrained', checkpoint='torchvision://vgg11_bn', prefix='features.'
        ),
    ),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=32,
        in_index=0,
        channels=32,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            # The authors' loss: soft Dice of first powers, of the foreground alone (what
            # mmseg's DiceLoss calls ignore_index is the class that it leaves out).
            dict(type='DiceLoss', use_sigmoid=False, naive_dice=True, ignore_index=0),
        ],
    ),
)
