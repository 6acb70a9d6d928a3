# Row 'WaveCT' of Table 1: the vanilla FPN behind a style transfer.
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'WaveCT'
model = dict(
    type='WaveCTSegmentor',
    style_size=(1024, 256),
    autoencoder=dict(type='WaveletAutoencoder', base_channels=64),
)
custom_hooks = [
    dict(type='RuntimeHook'),
    dict(type='OverlayHook'),
    dict(type='StyleImagesHook'),
]
