# Row 'w/o SS' of Table 1: no center regression (the key keeps its cross entropy).
_base_ = 'seam_r50-fpn_1xb12-80k_vpi-512x256.py'
method_name = 'SEAM w/o SS'
model = dict(decode_head=dict(beta=0))
