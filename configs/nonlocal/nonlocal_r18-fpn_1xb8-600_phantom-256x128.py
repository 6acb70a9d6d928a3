# NonLocal's attention on the merged FPN map v, fused with it as SEAM's is, in small.
_base_ = '../fpn/fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'NonLocal, attention on v'
model = dict(decode_head=dict(type='FPNNonLocalHead', concat_input=True))
