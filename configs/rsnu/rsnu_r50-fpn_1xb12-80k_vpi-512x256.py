# Row 'RSNU' of Table 1: the vanilla FPN with a total-variation loss.
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'RSNU'
model = dict(
    decode_head=dict(
        loss_decode=[
            dict(type='SyncCrossEntropyLoss'),
            dict(type='TotalVariationLoss', loss_weight=0.003),
        ]
    )
)
