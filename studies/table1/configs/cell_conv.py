_base_ = 'fpn-conv.py'
method_name = '3x3 conv'
