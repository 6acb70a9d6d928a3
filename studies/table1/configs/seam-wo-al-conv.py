# 'w/o AL' with the capacity of SEAM.
_base_ = 'seam-wo-al.py'
method_name = 'SEAM w/o AL + 3x3 conv'
model = dict(decode_head=dict(conv=True))
