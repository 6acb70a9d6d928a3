_base_ = ['seam-wo-al-conv.py', '_base_/felt.py']
method_name = '3x3 conv, center, key'
model = dict(decode_head=dict(loss_center=_base_.felt))
