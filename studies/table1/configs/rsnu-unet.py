# RSNU on the host of its article.
_base_ = 'unet.py'
method_name = 'RSNU, UNet'
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            dict(type='TotalVariationLoss', loss_weight=0.003),
        ]
    )
)
