# Control: one more 3x3 convolution, of the cost of SEAM's rho, and no attention.
_base_ = 'fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'FPN + 3x3 conv'
model = dict(decode_head=dict(type='FPNConvHead'))
