# Semantic FPN (Kirillov et al., CVPR 2019) on ResNet-50: the host of Table 1.
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='VPISegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        # Images have one channel; three means make three equal channels of it.
        mean=[75.99, 75.99, 75.99],
        std=[84.15, 84.15, 84.15],
        pad_val=0,
        seg_pad_val=255,
        size_divisor=32,
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',
        # Offline: --cfg-options model.backbone.init_cfg=None
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'),
    ),
    neck=dict(
        type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=4
    ),
    decode_head=dict(
        type='FPNHead',
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        num_classes=4,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='SyncCrossEntropyLoss'),
    ),
    train_cfg=dict(),
    # The paper's way back to the original size; 'logits' is smooth (docs/choices.md).
    test_cfg=dict(mode='whole', resize='mask'),
)
