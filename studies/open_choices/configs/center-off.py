_base_ = 'reference.py'
method_name = 'center-off'
model = dict(decode_head=dict(beta=0))
