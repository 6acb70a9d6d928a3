# EMANet's attention on the merged FPN map v, fused with it as SEAM's is.
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'EMANet, attention on v'
model = dict(decode_head=dict(type='FPNEMAHead', concat_input=True))
