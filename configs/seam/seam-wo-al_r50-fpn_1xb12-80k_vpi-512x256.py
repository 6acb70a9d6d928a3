# Row 'w/o AL' of Table 1: structure supervision on the FPN features, no attention.
_base_ = 'seam_r50-fpn_1xb12-80k_vpi-512x256.py'
method_name = 'SEAM w/o AL'
model = dict(decode_head=dict(attention=False))
