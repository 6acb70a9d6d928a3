# RSNU with the capacity of SEAM.
_base_ = 'rsnu.py'
method_name = 'RSNU + 3x3 conv'
model = dict(decode_head=dict(type='FPNConvHead'))
