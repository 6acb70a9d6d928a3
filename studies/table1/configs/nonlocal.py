_base_ = '_base_/regime.py'
method_name = 'NonLocal, attention on v'
model = dict(decode_head=dict(type='FPNNonLocalHead', concat_input=True))
