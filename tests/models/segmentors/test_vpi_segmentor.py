"""The way back to the original resolution, and test-time augmentation."""

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from seam_seg.models.segmentors.vpi_segmentor import largest, mean_result, resize_mask


def tiny_model(resize='mask', head={}, **options):
    kind = dict(type='SEAMHead', in_channels=8, channels=8, num_classes=4)
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
            decode_head=dict(dict(kind, in_index=1), **head),
            data_preprocessor=dict(
                type='SegDataPreProcessor', mean=[76.0], std=[84.0], size_divisor=2
            ),
            train_cfg=dict(),
            test_cfg=ConfigDict(dict(mode='whole', resize=resize), **options),
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


@pytest.mark.parametrize('shape', [(51, 30), (8, 6), (5, 3), (16, 7)])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_largest_is_that_of_all_maps_resized(shape, layout):
    maps = torch.randn(2, 5, 8, 6).to(memory_format=layout)[1]
    labels, values = largest(maps, shape)
    resized = torch.nn.functional.interpolate(maps[None], shape, mode='bilinear')[0]
    assert labels.dtype == np.uint8 and values.dtype == np.float32
    np.testing.assert_allclose(values, resized.amax(0).numpy(), atol=1e-5)
    first, second = resized.topk(2, dim=0).values
    clear = (first - second > 1e-4).numpy()
    assert clear.mean() > 0.99
    assert (labels == resized.argmax(0).numpy())[clear].all()


def test_the_first_of_equal_maps():
    assert not largest(torch.ones(3, 4, 4), (6, 5))[0].any()


@pytest.mark.parametrize(
    'meta',
    [
        {},
        dict(img_padding_size=(0, 1, 0, 2)),
        dict(flip=True, flip_direction='horizontal'),
        dict(flip=True, flip_direction='vertical'),
    ],
)
def test_logits_give_the_mask_of_mmseg(meta):
    """Its own code is the reference; and the logits stay as small as they were."""
    torch.manual_seed(1)
    logits = torch.randn(2, 4, 8, 6)
    model = tiny_model('logits')
    results = model.postprocess_result(
        logits, [sample((200, 151), **meta), sample((20, 15), **meta)]
    )
    expected = EncoderDecoder.postprocess_result(
        model, logits, [sample((200, 151), **meta), sample((20, 15), **meta)]
    )
    for ours, theirs in zip(results, expected):
        mask = theirs.pred_sem_seg.data
        assert ours.pred_sem_seg.data.dtype == mask.dtype == torch.int64
        assert ours.pred_sem_seg.data.shape == mask.shape
        assert (ours.pred_sem_seg.data != mask).float().mean() < 1e-3  # ties
        left, right, top, bottom = meta.get('img_padding_size', (0, 0, 0, 0))
        assert ours.seg_logits.data.shape[1:] == (8 - top - bottom, 6 - left - right)


def test_padding_and_flips_are_undone():
    logits = torch.randn(1, 4, 10, 9)
    padded = sample((8, 6), img_padding_size=(0, 3, 0, 2))
    result = tiny_model().postprocess_result(logits, [padded])[0]
    assert torch.equal(result.pred_sem_seg.data[0], logits[0, :, :8, :6].argmax(0))
    for direction, axis in (('horizontal', 2), ('vertical', 1), ('diagonal', (1, 2))):
        flipped = sample((10, 9), flip=True, flip_direction=direction)
        result = tiny_model().postprocess_result(logits, [flipped])[0]
        assert torch.equal(result.pred_sem_seg.data[0], logits[0].flip(axis).argmax(0))


def test_what_it_cannot_bring_back():
    with pytest.raises(ValueError, match='resize'):
        tiny_model('both')
    with pytest.raises(ValueError, match="mode='slide'"):
        tiny_model(mode='slide', head=dict(center_votes=True))
    # of a single channel the largest is always the first
    binary = dict(type='FCNHead', num_classes=2, out_channels=1, threshold=0.5)
    with pytest.raises(ValueError, match='out_channels=1 of the head for 2 classes'):
        tiny_model(head=binary)


@pytest.mark.parametrize('resize', ['mask', 'logits'])
def test_tta_is_the_mean_of_the_probabilities(resize):
    model = tiny_model(resize)
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
    mean = (logits[0].softmax(0) + logits[1].flip(2).softmax(0)) / 2
    if resize == 'mask':
        expected = slow_nearest(mean.argmax(0), (20, 15))
    else:
        expected = torch.nn.functional.interpolate(
            mean.log()[None], (20, 15), mode='bilinear'
        )[0].argmax(0)
    assert torch.equal(result.pred_sem_seg.data[0], expected)
    torch.testing.assert_close(result.seg_logits.data.softmax(0), mean)
    assert result.gt_sem_seg.data.shape == (1, 20, 15)
    assert result.img_path == 'x'


def test_the_mean_of_results_that_are_certain():
    """Probabilities that round to zero have logarithms all the same."""
    results = []
    for certain in (0, 0, 1):
        one = sample((9, 7))
        logits = torch.full((3, 4, 3), -500.0)
        logits[certain] = 500
        one.seg_logits = PixelData(data=logits)
        one.votes = PixelData(data=torch.full((2, 4, 3), float(certain)))
        results.append(one)
    merged = mean_result(results, 'logits')
    assert merged.seg_logits.data.isfinite().all()
    expected = torch.tensor([2 / 3, 1 / 3, 0])[:, None, None].expand(3, 4, 3)
    torch.testing.assert_close(merged.seg_logits.data.softmax(0), expected)
    torch.testing.assert_close(merged.votes.data, torch.full((2, 4, 3), 1 / 3))
    assert merged.pred_sem_seg.data.shape == (1, 9, 7)
    assert not merged.pred_sem_seg.data.any()


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
@pytest.mark.parametrize('resize', ['mask', 'logits'])
def test_votes_of_a_mirrored_image_point_to_where_the_bone_is(direction, resize):
    """The center of each pixel's bone stays where it is."""
    model = tiny_model(resize)
    logits = torch.randn(1, 4, 8, 6)
    rows, columns = torch.arange(8.0) - 2, torch.arange(6.0) - 4  # from a center
    votes = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))
    axes = dict(vertical=[0], horizontal=[1], diagonal=[0, 1])[direction]
    mirrored = votes.flip([axis + 1 for axis in axes]).clone()
    mirrored[axes] *= -1  # what a network says of the mirrored image
    data = sample((8, 6), flip=True, flip_direction=direction)
    output = torch.cat([logits, mirrored[None]], dim=1)
    (result,) = model.postprocess_result(output, [data])
    torch.testing.assert_close(result.votes.data, votes)
    assert result.seg_logits.data.shape[0] == 4


@pytest.mark.parametrize('flip', [False, True])
def test_votes_do_not_shrink_with_the_padding(flip):
    """Shares of the padded size become shares of what is left."""
    model, padded, size = tiny_model(), (8, 6), (5, 4)
    pixels = torch.randn(2, *size)  # to the center, in pixels
    network = pixels.flip(2) * torch.tensor([1, -1]).view(2, 1, 1) if flip else pixels
    shares = network / torch.tensor(padded).view(2, 1, 1)
    left = 6 - 4 if flip else 0  # the mirrored image is padded before or behind
    output = torch.cat([torch.randn(1, 4, *padded), torch.zeros(1, 2, *padded)], dim=1)
    output[0, 4:, :5, left : left + 4] = shares
    mirrored = dict(flip=True, flip_direction='horizontal') if flip else {}
    data = sample(size, img_padding_size=(left, 2 - left, 0, 3), **mirrored)
    (result,) = model.postprocess_result(output, [data])
    expected = pixels / torch.tensor(size).view(2, 1, 1)
    torch.testing.assert_close(result.votes.data, expected)


@pytest.mark.parametrize('votes', [False, True])
def test_both_sides_by_loops(votes):
    """The mean probabilities of a pixel and of its mirror image; votes turned round."""
    model = tiny_model(mirror=True)
    outputs = torch.randn(2, 1, 6 if votes else 4, 3, 5, dtype=torch.float64)
    images = torch.randn(1, 1, 3, 5, dtype=torch.float64)

    def network(inputs):
        return outputs[0 if torch.equal(inputs, images) else 1]

    found = model.both_sides(network, images)[0]
    assert found.shape == outputs.shape[2:]
    for i in range(3):
        for j in range(5):
            one, other = outputs[0, 0, :, i, j], outputs[1, 0, :, i, 4 - j]
            mean = (one[:4].softmax(0) + other[:4].softmax(0)) / 2
            torch.testing.assert_close(found[:4, i, j].exp(), mean)
            if votes:
                turned = torch.stack([other[4], -other[5]])
                torch.testing.assert_close(found[4:, i, j], (one[4:] + turned) / 2)


def test_mirror_makes_left_and_right_alike():
    """A mirrored image has the mirrored prediction; without, it has another."""
    torch.manual_seed(0)
    image = torch.randn(1, 1, 16, 12)
    for mirror in (True, False):
        model = tiny_model(mirror=mirror)
        with torch.no_grad():
            ours, theirs = (
                model.inference(x, [dict(img_shape=(16, 12), ori_shape=(16, 12))])
                for x in (image, image.flip(dims=(3,)))
            )
        same = torch.allclose(
            ours.softmax(1), theirs.flip(dims=(3,)).softmax(1), atol=1e-5
        )
        assert same == mirror
