# Row 'WaveCT' of Table 1 in small: the vanilla FPN behind a style transfer.
_base_ = '../fpn/fpn_r18_1xb8-600_phantom-256x128.py'
method_name = 'WaveCT'
model = dict(
    type='WaveCTSegmentor',
    style_size=(512, 128),
    num_reconstructed=2,
    autoencoder=dict(type='WaveletAutoencoder', base_channels=8),
)
custom_hooks = [
    dict(type='RuntimeHook'),
    dict(type='OverlayHook'),
    dict(type='StyleImagesHook'),
]
