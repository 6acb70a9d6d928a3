# Row 'w/o SS' of Table 1: no center regression (the key keeps its cross entropy).
_base_ = 'seam_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'SEAM w/o SS'
model = dict(decode_head=dict(beta=0))
