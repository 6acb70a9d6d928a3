# mmseg's UNet backbone with a head on its finest feature map.
_base_ = 'fpn_r50.py'
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(
        _delete_=True,
        type='UNet',
        in_channels=3,
        base_channels=64,
        num_stages=5,
        strides=(1, 1, 1, 1, 1),
        enc_num_convs=(2, 2, 2, 2, 2),
        dec_num_convs=(2, 2, 2, 2),
        downsamples=(True, True, True, True),
        norm_cfg=norm_cfg,
    ),
    neck=None,
    decode_head=dict(in_channels=[64], in_index=[4], feature_strides=[1], channels=64),
)
