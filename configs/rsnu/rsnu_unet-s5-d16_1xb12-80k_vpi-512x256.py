# 'RSNU' on the host of its article: the UNet with a total-variation loss.
_base_ = '../unet/unet_s5-d16_1xb12-80k_vpi-512x256.py'
method_name = 'RSNU, UNet'
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            dict(type='TotalVariationLoss', loss_weight=0.003),
        ]
    )
)
