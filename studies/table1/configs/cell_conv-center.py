_base_ = 'cell_conv-center-key.py'
method_name = '3x3 conv, center'
model = dict(decode_head=dict(loss_key=None))
