_base_ = ['seam.py', '_base_/felt.py']
method_name = 'SEAM printed, center, key'
model = dict(decode_head=dict(loss_center=_base_.felt))
