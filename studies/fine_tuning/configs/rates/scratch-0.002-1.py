_base_ = '../scratch-1.py'
