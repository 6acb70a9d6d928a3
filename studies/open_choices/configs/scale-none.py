# Eq. 4 as printed.
_base_ = 'reference.py'
method_name = 'scale-none'
model = dict(decode_head=dict(normalization=None))
