_base_ = ['seam-keymass.py', '_base_/felt.py']
method_name = 'SEAM, key mass, felt center'
model = dict(decode_head=dict(loss_center=_base_.felt))
