_base_ = '_base_/regime.py'
method_name = 'Vanilla FPN'
