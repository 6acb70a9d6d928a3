# Row 'w/o AL' of Table 1: structure supervision on the FPN features, no attention.
_base_ = 'seam_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'SEAM w/o AL'
model = dict(decode_head=dict(attention=False))
