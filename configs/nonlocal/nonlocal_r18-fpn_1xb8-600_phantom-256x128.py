# Row 'NonLocal' of Table 1 in small.
_base_ = '../fpn/fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'NonLocal'
model = dict(decode_head=dict(type='FPNNonLocalHead', concat_input=True))
