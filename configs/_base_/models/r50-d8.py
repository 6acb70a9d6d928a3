# mmseg's dilated ResNet-50 (stride 8): DANet, EMANet and NonLocal sit on its last stage.
# mmseg's auxiliary FCN head is left out: neither DANet's nor EMANet's authors have one.
_base_ = 'fpn_r50.py'
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), contract_dilation=True),
    neck=None,
    decode_head=dict(
        _delete_=True,
        in_channels=2048,
        in_index=3,
        channels=512,
        dropout_ratio=0.1,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='SyncCrossEntropyLoss'),
    ),
)
