_base_ = 'seam.py'
method_name = 'SEAM w/o AL'
model = dict(decode_head=dict(attention=False))
