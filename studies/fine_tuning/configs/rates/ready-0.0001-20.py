_base_ = '../ready-20.py'
