_base_ = 'seam-wo-al-conv.py'
method_name = '3x3 conv, key'
model = dict(decode_head=dict(beta=0))
