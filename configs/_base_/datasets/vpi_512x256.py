# The paper's protocol (Sec. 3.1) with a validation split carved from the training one.
dataset_type = 'VPIDataset'
data_root = 'data/vpi'
image_size = (1024, 256)  # height, width
patches = dict(image_size=image_size, size=(512, 256), stride=(64, 256))
resize = dict(type='ResizeVPI', scale=image_size[::-1])

load_pipeline = [dict(type='LoadVPIImage'), dict(type='LoadVPIAnnotations'), resize]
train_pipeline = [
    dict(type='CacheTransforms', transforms=load_pipeline),
    dict(type='CropPatch'),
    # Vertical flips would reverse the order of the levels.
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    # Outside the patch is black like the exterior, but what lies there is unknown.
    dict(type='RandomRotate', prob=0.5, degree=10, pad_val=0, seg_pad_val=255),
    dict(type='PackSegInputs'),
]
# The truth stays at the original resolution, where scores are taken.
test_pipeline = [
    # Left out by VPIDataset: MMSegInferencer and inference_model of mmseg look for it.
    dict(type='LoadImageFromFile', color_type='unchanged'),
    dict(type='LoadVPIImage'),
    resize,
    dict(type='LoadVPIAnnotations'),
    dict(type='PackSegInputs'),
]
tta_model = dict(type='VPITTAModel')
tta_pipeline = [
    dict(type='LoadVPIImage'),
    resize,
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal'),
            ],
            [dict(type='LoadVPIAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]

train_dataloader = dict(
    batch_size=12,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='PositionSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        patches=patches,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='DiceJaccardMetric')
test_evaluator = dict(type='DiceJaccardMetric')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
