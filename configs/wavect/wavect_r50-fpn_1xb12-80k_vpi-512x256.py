# Row 'WaveCT' of Table 1: the vanilla FPN behind a style transfer, whose encoder is
# VGG19's, frozen. Without torchvision or network: --cfg-options
# model.autoencoder.init_cfg=None trains it on the patches.
_base_ = '../fpn/fpn_r50_1xb12-80k_vpi-512x256.py'
method_name = 'WaveCT'
vgg = dict(type='Pretrained', checkpoint='torchvision://vgg19', prefix='features.')
autoencoder = dict(type='WaveletAutoencoder', base_channels=64, init_cfg=vgg)
model = dict(type='WaveCTSegmentor', style_size=(1024, 256), autoencoder=autoencoder)
custom_hooks = [
    dict(type='RuntimeHook'),
    dict(type='OverlayHook'),
    dict(type='StyleImagesHook'),
]
