_base_ = 'seam.py'
method_name = 'SEAM w/o SS'
model = dict(decode_head=dict(beta=0))
