# The start of every row: the backbone and the neck learn to restore unlabelled phantoms
# of other seeds. studies.table1.run keeps these two as start.pth.
_base_ = '_base_/regime.py'
method_name = 'start'
model = dict(
    backbone=dict(init_cfg=None),
    neck=dict(
        init_cfg=dict(
            _delete_=True, type='Xavier', layer='Conv2d', distribution='uniform'
        )
    ),
    decode_head=dict(type='ReconstructionHead'),
)
train_pipeline = [
    dict(type='CacheTransforms', transforms=[dict(type='LoadVPIImage'), _base_.resize]),
    *_base_.train_pipeline[1:3],
    dict(type='HidePatches', patch=(16, 16), share=0.5, noise=12),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        data_root='data/table1/start',
        split_files=dict(train='train.txt'),
        pipeline=train_pipeline,
    ),
)
# Nothing is validated, and what it predicts is not tested.
val_dataloader, val_evaluator, val_cfg = None, None, None
train_cfg = dict(max_iters=2400)
