# The autoencoder was trained by studies.table1.train_autoencoder, and is frozen.
_base_ = '_base_/regime.py'
method_name = 'WaveCT'
model = dict(
    type='WaveCTSegmentor',
    style_size=(512, 128),
    autoencoder=dict(
        type='WaveletAutoencoder',
        base_channels=8,
        checkpoint='studies/table1/autoencoder.pth',
    ),
)
custom_hooks = [*_base_.custom_hooks, dict(type='StyleImagesHook')]
