_base_ = '_base_/ready.py'
train_dataloader = dict(dataset=dict(split_files=dict(train='labelled-2.txt')))
train_cfg = dict(max_iters=40)
