# Row 'DANet' of Table 1 in small.
_base_ = '../fpn/fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'DANet'
model = dict(decode_head=dict(type='FPNDAHead', concat_input=True, pam_channels=4))
