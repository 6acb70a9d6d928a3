_base_ = '../scratch-5.py'
