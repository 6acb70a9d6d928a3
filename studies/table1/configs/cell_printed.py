_base_ = 'seam.py'
method_name = 'SEAM printed'
model = dict(decode_head=dict(beta=0, loss_key=None))
