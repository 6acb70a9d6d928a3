# The demo: a small SEAM model that two CPU cores train on the phantom in minutes.
_base_ = 'seam_r18-fpn_1xb8-600_phantom-256x128.py'
method_name = 'SEAM, key mass'
model = dict(decode_head=dict(normalization='key_mass'))
