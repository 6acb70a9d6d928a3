_base_ = 'seam-keymass.py'
method_name = 'SEAM key mass'
model = dict(decode_head=dict(beta=0, loss_key=None))
