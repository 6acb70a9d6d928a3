_base_ = '_base_/ready.py'
train_dataloader = dict(dataset=dict(split_files=dict(train='labelled-5.txt')))
train_cfg = dict(max_iters=100)
