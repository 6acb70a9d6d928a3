# Row 'EMANet' of Table 1: its attention on the merged FPN map, fused as SEAM's is.
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'EMANet'
model = dict(decode_head=dict(type='FPNEMAHead', concat_input=True))
