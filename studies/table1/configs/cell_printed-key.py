_base_ = 'seam.py'
method_name = 'SEAM printed, key'
model = dict(decode_head=dict(beta=0))
