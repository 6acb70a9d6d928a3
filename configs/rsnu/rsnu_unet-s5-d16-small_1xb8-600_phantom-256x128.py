# 'RSNU' on the host of its article in small: the UNet with a total-variation loss.
_base_ = '../unet/unet_s5-d16-small_1xb8-600_phantom-256x128.py'
method_name = 'RSNU, UNet'
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            dict(type='TotalVariationLoss', loss_weight=0.003),
        ]
    )
)
