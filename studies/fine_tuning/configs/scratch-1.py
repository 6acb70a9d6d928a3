_base_ = '_base_/scratch.py'
train_dataloader = dict(dataset=dict(split_files=dict(train='labelled-1.txt')))
