_base_ = '../scratch-20.py'
