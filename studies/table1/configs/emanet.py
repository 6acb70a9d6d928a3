_base_ = '_base_/regime.py'
method_name = 'EMANet, attention on v'
model = dict(decode_head=dict(type='FPNEMAHead', concat_input=True, num_bases=16))
