# Row 'RSNU' with the capacity of SEAM: one more 3x3 convolution.
_base_ = 'rsnu_r50-fpn_1xb12-80k_vpi-512x256.py'
method_name = 'RSNU + 3x3 conv'
model = dict(decode_head=dict(type='FPNConvHead'))
