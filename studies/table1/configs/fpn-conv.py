# The reference: as many weights as SEAM, and no attention.
_base_ = '_base_/regime.py'
method_name = 'FPN + 3x3 conv'
model = dict(decode_head=dict(type='FPNConvHead'))
