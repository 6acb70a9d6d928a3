_base_ = 'cell_keymass-center-key.py'
method_name = 'SEAM key mass, center'
model = dict(decode_head=dict(loss_key=None))
