# Positive control: the reference, told where each vertebra is.
_base_ = 'fpn-conv.py'
method_name = 'FPN + 3x3 conv, levels told'
load_pipeline = [
    _base_.load_pipeline[0],
    dict(type='TellLevels'),
    *_base_.load_pipeline[1:],
]
train_pipeline = [
    dict(type='CacheTransforms', transforms=load_pipeline),
    *_base_.train_pipeline[1:],
]
test_pipeline = [
    *_base_.test_pipeline[:2],  # mmseg's loader, which VPIDataset leaves out, and ours
    dict(type='TellLevels'),
    *_base_.test_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
