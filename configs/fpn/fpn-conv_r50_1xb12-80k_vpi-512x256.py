# Control: one more 3x3 convolution, of the cost of SEAM's rho, and no attention.
_base_ = 'fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'FPN + 3x3 conv'
model = dict(decode_head=dict(type='FPNConvHead'))
