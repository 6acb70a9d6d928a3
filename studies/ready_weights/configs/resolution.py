# Half again as many rows and columns.
_base_ = 'recipe.py'
method_name = 'resolution'
image_size = (768, 192)
resize = dict(type='ResizeVPI', scale=image_size[::-1])
load_pipeline = [*_base_.load_pipeline[:-1], resize]
# What is given in pixels grows along.
vary = _base_.vary
vary.transforms[0].translate_range = ((-45, 45), (-15, 15))
vary.transforms[4].update(sigma_x=(0.45, 1.8), sigma_y=(0.45, 1.8))
train_pipeline = [
    dict(type='CacheTransforms', transforms=load_pipeline),
    _base_.train_pipeline[1],
    vary,
    _base_.train_pipeline[-1],
]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
