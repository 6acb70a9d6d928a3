_base_ = '../ready-5.py'
