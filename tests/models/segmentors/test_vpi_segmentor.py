"""The way back to the original resolution, and test-time augmentation."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.models.segmentors.vpi_segmentor import resize_mask


def tiny_model(resize='mask'):
    head = dict(type='SEAMHead', in_channels=8, in_index=0, channels=8, num_classes=4)
    backbone = dict(
        type='UNet',
        in_channels=1,
        base_channels=8,
        num_stages=2,
        strides=(1, 1),
        enc_num_convs=(1, 1),
        dec_num_convs=(1,),
        downsamples=(True,),
        enc_dilations=(1, 1),
        dec_dilations=(1,),
    )
    return MODELS.build(
        dict(
            type='VPISegmentor',
            backbone=backbone,
            decode_head=dict(head, in_index=1),
            data_preprocessor=dict(
                type='SegDataPreProcessor', mean=[76.0], std=[84.0], size_divisor=2
            ),
            train_cfg=dict(),
            test_cfg=ConfigDict(mode='whole', resize=resize),
        )
    ).eval()


def sample(ori_shape, **meta):
    out = SegDataSample()
    out.set_metainfo(dict(ori_shape=ori_shape, img_shape=(8, 6), **meta))
    return out


def slow_nearest(mask, shape):
    """The source pixel whose center is nearest to each center of the result."""
    height, width = mask.shape
    return torch.tensor(
        [
            [
                mask[
                    min(int((i + 0.5) * height / shape[0]), height - 1),
                    min(int((j + 0.5) * width / shape[1]), width - 1),
                ].item()
                for j in range(shape[1])
            ]
            for i in range(shape[0])
        ]
    )


@pytest.mark.parametrize('shape', [(20, 15), (8, 6), (5, 3), (16, 12)])
def test_resize_mask(shape):
    mask = torch.randint(0, 4, (1, 8, 6))
    assert torch.equal(resize_mask(mask, shape)[0], slow_nearest(mask[0], shape))


def test_mask_and_logits():
    logits = torch.randn(2, 4, 8, 6)
    mask = tiny_model('mask').postprocess_result(
        logits, [sample((20, 15)), sample((8, 6))]
    )
    assert torch.equal(
        mask[0].pred_sem_seg.data[0], slow_nearest(logits[0].argmax(0), (20, 15))
    )
    assert torch.equal(mask[1].pred_sem_seg.data[0], logits[1].argmax(0))
    smooth = tiny_model('logits').postprocess_result(
        logits, [sample((20, 15)), sample((20, 15))]
    )
    expected = torch.nn.functional.interpolate(
        logits, (20, 15), mode='bilinear', align_corners=False
    ).argmax(1)
    assert torch.equal(smooth[0].pred_sem_seg.data[0], expected[0])


def test_padding_and_flips_are_undone():
    logits = torch.randn(1, 4, 10, 9)
    padded = sample((8, 6), img_padding_size=(0, 3, 0, 2))
    result = tiny_model().postprocess_result(logits, [padded])[0]
    assert torch.equal(result.pred_sem_seg.data[0], logits[0, :, :8, :6].argmax(0))
    for direction, axis in (('horizontal', 2), ('vertical', 1)):
        flipped = sample((10, 9), flip=True, flip_direction=direction)
        result = tiny_model().postprocess_result(logits, [flipped])[0]
        assert torch.equal(result.pred_sem_seg.data[0], logits[0].flip(axis).argmax(0))


def test_unknown_resize():
    with pytest.raises(ValueError, match='resize'):
        tiny_model('both')


def test_tta_is_the_mean_of_the_probabilities():
    model = tiny_model()
    tta = MODELS.build(dict(type='VPITTAModel', module=model))
    image = torch.randint(0, 256, (1, 8, 6), dtype=torch.uint8)
    truth = PixelData(data=torch.zeros(1, 20, 15, dtype=torch.long))
    views = []
    for flip in (False, True):
        view = sample((20, 15), flip=flip, flip_direction='horizontal', img_path='x')
        view.gt_sem_seg = truth
        views.append(view)
    batch = dict(
        inputs=[[image], [image.flip(2)]], data_samples=[[view] for view in views]
    )
    with torch.no_grad():
        result = tta.test_step(batch)[0]
        x = (torch.stack([image, image.flip(2)]).float() - 76) / 84
        logits = model.decode_head(model.extract_feat(x))
    mean = logits[0].softmax(0) + logits[1].flip(2).softmax(0)
    assert torch.equal(
        result.pred_sem_seg.data[0], slow_nearest(mean.argmax(0), (20, 15))
    )
    assert result.gt_sem_seg.data.shape == (1, 20, 15)


@pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
@pytest.mark.parametrize('resize', ['mask', 'logits'])
def test_votes_of_a_mirrored_image_point_to_where_the_bone_is(direction, resize):
    """The center of each pixel's bone stays where it is."""
    model = tiny_model(resize)
    logits = torch.randn(1, 4, 8, 6)
    rows, columns = torch.arange(8.0) - 2, torch.arange(6.0) - 4  # from a center
    votes = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))
    axis = ('vertical', 'horizontal').index(direction)
    mirrored = votes.flip(axis + 1).clone()
    mirrored[axis] *= -1  # what a network says of the mirrored image
    data = sample((8, 6), flip=True, flip_direction=direction)
    output = torch.cat([logits, mirrored[None]], dim=1)
    (result,) = model.postprocess_result(output, [data])
    torch.testing.assert_close(result.votes.data, votes)
    assert result.seg_logits.data.shape[0] == 4
