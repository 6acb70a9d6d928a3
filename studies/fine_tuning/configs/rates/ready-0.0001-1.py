_base_ = '../ready-1.py'
