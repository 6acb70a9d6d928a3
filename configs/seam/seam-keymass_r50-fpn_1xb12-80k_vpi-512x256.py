# Eq. 4 normalised by the mass of each key channel, so that its softmax is not saturated.
_base_ = 'seam_r50-fpn_1xb12-80k_vpi-512x256.py'
method_name = 'SEAM, key mass'
model = dict(decode_head=dict(normalization='key_mass'))
