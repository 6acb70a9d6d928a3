# A phantom (tools/make_phantom.py) at half the resolution of the paper, for a CPU: the
# steps of the base, rescaled to another size.
_base_ = 'vpi_512x256.py'
data_root = 'data/phantom'
image_size = (512, 128)  # height, width
patches = dict(image_size=image_size, size=(256, 128), stride=(32, 128))
resize = dict(type='ResizeVPI', scale=image_size[::-1])

load_pipeline = [*_base_.load_pipeline[:2], resize]
train_pipeline = [
    dict(type='CacheTransforms', transforms=load_pipeline),
    *_base_.train_pipeline[1:],
]
test_pipeline = [*_base_.test_pipeline[:2], resize, *_base_.test_pipeline[3:]]
tta_pipeline = [_base_.tta_pipeline[0], resize, *_base_.tta_pipeline[2:]]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, patches=patches, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
