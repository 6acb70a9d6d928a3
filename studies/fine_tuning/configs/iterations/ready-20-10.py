_base_ = '../ready-10.py'
train_cfg = dict(max_iters=20)
