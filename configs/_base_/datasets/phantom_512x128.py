# Whole images of a phantom at half the resolution of the paper, with its bones one by
# one, changed as scanners and patients differ (MONAI): size and aspect, slope, contrast,
# gain, its wander, blur and noise.
_base_ = 'phantom_256x128.py'
load_pipeline = [*_base_.load_pipeline[:2], dict(type='LoadVPIInstances'), _base_.resize]
vary = dict(
    type='MonaiTransforms',
    transforms=[
        dict(
            type='RandAffined',
            keys=('img', 'seg'),
            prob=0.8,
            # MONAI's axes are (row, column), its scale is that of the grid: 0.835 to 1.2
            # of it are 1.2 to 0.835 of the content.
            scale_range=((-0.165, 0.2), (-0.165, 0.2)),
            shear_range=((-0.08, 0.08), (-0.08, 0.08)),
            rotate_range=0.1,
            translate_range=((-30, 30), (-10, 10)),
            mode=('bilinear', 'nearest'),
            padding_mode='zeros',
        ),
        dict(type='RandAdjustContrastd', keys='img', prob=0.6, gamma=(0.6, 1.65)),
        dict(type='RandScaleIntensityd', keys='img', prob=0.6, factors=(-0.3, 0.42)),
        dict(type='RandBiasFieldd', keys='img', prob=0.5, coeff_range=(-0.2, 0.2)),
        dict(
            type='RandGaussianSmoothd',
            keys='img',
            prob=0.4,
            sigma_x=(0.3, 1.2),
            sigma_y=(0.3, 1.2),
        ),
        dict(type='RandGaussianNoised', keys='img', prob=0.5, std=0.05),
    ],
)
train_pipeline = [
    dict(type='CacheTransforms', transforms=load_pipeline),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    vary,
    dict(type='PackVPIInputs'),
]
train_dataloader = dict(batch_size=4, dataset=dict(patches=None, pipeline=train_pipeline))
