# Row 'w/o AL' in small with the capacity of SEAM: one more 3x3 convolution.
_base_ = 'seam-wo-al_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'SEAM w/o AL + 3x3 conv'
model = dict(decode_head=dict(conv=True))
