# Row 'w/o AL' with the capacity of SEAM: one more 3x3 convolution.
_base_ = 'seam-wo-al_r50-fpn_1xb12-80k_vpi-512x256.py'
method_name = 'SEAM w/o AL + 3x3 conv'
model = dict(decode_head=dict(conv=True))
