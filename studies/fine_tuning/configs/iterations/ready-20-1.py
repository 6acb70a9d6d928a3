_base_ = '../ready-1.py'
train_cfg = dict(max_iters=20)
