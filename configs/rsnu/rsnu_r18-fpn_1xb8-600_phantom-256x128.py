# Row 'RSNU' of Table 1 in small: the vanilla FPN with a total-variation loss.
_base_ = '../fpn/fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'RSNU'
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            dict(type='TotalVariationLoss', loss_weight=0.003),
        ]
    )
)
