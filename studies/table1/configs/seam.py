# The center loss as printed, which is hardly felt.
_base_ = '_base_/regime.py'
method_name = 'SEAM'
model = dict(decode_head=dict(type='SEAMHead', lambda_=0.4, beta=0.5))
