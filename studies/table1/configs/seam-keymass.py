_base_ = 'seam.py'
method_name = 'SEAM, key mass'
model = dict(decode_head=dict(normalization='key_mass'))
