# Row 'Ours' of Table 1 in small: Eq. 4 as printed, lambda = 0.4, beta = 0.5.
_base_ = '../fpn/fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'SEAM'
model = dict(decode_head=dict(type='SEAMHead', lambda_=0.4, beta=0.5))
