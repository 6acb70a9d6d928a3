_base_ = '_base_/regime.py'
method_name = 'DANet, attention on v'
model = dict(decode_head=dict(type='FPNDAHead', concat_input=True, pam_channels=4))
