_base_ = 'cell_printed-center-key.py'
method_name = 'SEAM printed, center'
model = dict(decode_head=dict(loss_key=None))
