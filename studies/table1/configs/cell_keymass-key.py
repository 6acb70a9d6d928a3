_base_ = 'seam-keymass.py'
method_name = 'SEAM key mass, key'
model = dict(decode_head=dict(beta=0))
