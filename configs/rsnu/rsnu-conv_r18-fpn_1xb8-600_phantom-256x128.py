# Row 'RSNU' in small with the capacity of SEAM: one more 3x3 convolution.
_base_ = 'rsnu_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'RSNU + 3x3 conv'
model = dict(decode_head=dict(type='FPNConvHead'))
