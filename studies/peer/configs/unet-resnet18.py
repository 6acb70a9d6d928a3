# The ready weights' training, of another model: segmentation_models_pytorch's Unet on
# ResNet-18, from scratch, for as long (studies.peer.measure).
_base_ = '../../../configs/seam/seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128.py'
method_name = 'Unet, ResNet-18'
custom_imports = dict(imports=['smp_unet'], allow_failed_imports=False)
model = dict(
    backbone=dict(
        _delete_=True,
        type='SMPUnet',
        encoder_name='resnet18',
        encoder_weights=None,
        in_channels=3,  # three equal ones, as the ready model gets them
        classes=4,
    ),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='LogitsHead',
        num_classes=4,
        align_corners=False,
        loss_decode=_base_.model.decode_head.loss_decode,
    ),
)
# As long, and validated as often.
train_cfg = dict(max_iters=3006, val_interval=501)
default_hooks = dict(checkpoint=dict(interval=501))
