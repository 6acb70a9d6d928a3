# Row 'WaveCT' of Table 1: the vanilla FPN behind a style transfer, whose encoder is
# VGG19's, frozen (without network: model.autoencoder.init_cfg=None).
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'WaveCT'
model = dict(
    type='WaveCTSegmentor',
    style_size=(1024, 256),
    autoencoder=dict(
        type='WaveletAutoencoder',
        init_cfg=dict(
            type='Pretrained', checkpoint='torchvision://vgg19', prefix='features.'
        ),
    ),
)
custom_hooks = [*_base_.custom_hooks, dict(type='StyleImagesHook')]
