# The regime of Table 1 on the phantom: whole images at half the paper's resolution, the
# small networks, one start for every row. studies/table1/make_data.py draws the cases.
_base_ = [
    '../../../../configs/_base_/models/fpn_r18-small.py',
    '../../../../configs/_base_/datasets/phantom_512x128.py',
    '../../../../configs/_base_/schedules/schedule_demo.py',
    '../../../../configs/_base_/default_runtime.py',
]
data_root = 'data/table1/f15/seed0'
start = 'studies/table1/start.pth'
custom_imports = dict(imports=['seam_seg', 'table1_parts'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint=start, prefix='backbone.'
        )
    ),
    neck=dict(init_cfg=dict(type='Pretrained', checkpoint=start, prefix='neck.')),
)
# What differs most from scan to scan. Cheap, since a GPU would wait for more.
vary = dict(
    type='AffineAndGamma',
    scale=(0.87, 1.15),
    degrees=6,
    shift=(25, 8),
    gamma=(0.65, 1.55),
)
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    vary,
    dict(type='PackVPIInputs'),
]
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        split='trainval',
        split_files=dict(train='train-64.txt', val='val.txt', test='test.txt'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
# The last checkpoint is scored: nothing is chosen along the way.
train_cfg = dict(max_iters=2400, val_interval=300)
default_hooks = dict(checkpoint=dict(interval=600, save_best=None))
test_evaluator = dict(type='EndpointMetric')
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLast')]
