# Row 'Ours' of Table 1: Eq. 4 as printed, lambda = 0.4, beta = 0.5.
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'SEAM'
model = dict(decode_head=dict(type='SEAMHead', lambda_=0.4, beta=0.5))
