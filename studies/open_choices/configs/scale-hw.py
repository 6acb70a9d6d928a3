# Eq. 4 divided by the number of positions.
_base_ = 'reference.py'
method_name = 'scale-hw'
model = dict(decode_head=dict(normalization='hw'))
