"""Drawn by chance: what must hold for any masks, logits, phantom and file.

The suite draws the same few cases each time; `make fuzz` draws new ones, many more.
"""

import io

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from monai.metrics import DiceMetric, MeanIoU
from PIL import Image
from torch.nn.functional import one_hot

from seam_seg.datasets.annotations import read_annotation
from seam_seg.datasets.phantom.params import PRESETS, PhantomParams, replace
from seam_seg.datasets.phantom.rendering import make_case
from seam_seg.datasets.readers import read_image, read_mask
from seam_seg.datasets.vpi import read_split
from seam_seg.engine import read_checkpoint
from seam_seg.errors import InputError
from seam_seg.evaluation.metric import DiceJaccardMetric
from seam_seg.models.losses import (
    CenterRegressionLoss,
    SyncCrossEntropyLoss,
    TotalVariationLoss,
)

CLASSES = ('background', 'rib', 'thoracic', 'lumbar')
SIDE = st.integers(8, 20)
FRAME = ('width', 'height')  # has a least size of its own


@st.composite
def masks(draw, labels):
    """Up to three pairs of masks: blocks and single pixels of any labels."""
    pairs = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(SIDE), draw(SIDE)
        pair = np.zeros((2, *shape), np.uint8)
        for _ in range(draw(st.integers(0, 6))):
            side = draw(st.integers(0, 1))
            top, left = (draw(st.integers(0, size - 1)) for size in shape)
            height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
            label = draw(st.sampled_from(labels if side else labels[:4]))
            pair[side, top : top + height, left : left + width] = label
        pairs.append(pair)
    return pairs


@given(masks([0, 1, 2, 3, 255]))
def test_scores_are_those_of_monai(pairs):
    metric = DiceJaccardMetric()
    metric.dataset_meta = dict(classes=CLASSES)
    expected = {'Dice': [], 'Jaccard': []}
    for i, (pred, truth) in enumerate(pairs):
        metric.process(
            {},
            [
                dict(
                    img_path=f'{i}.png',
                    pred_sem_seg=dict(data=torch.from_numpy(pred)[None]),
                    gt_sem_seg=dict(data=torch.from_numpy(truth.astype(np.int64))[None]),
                )
            ],
        )
        counted = truth != 255
        maps = [
            one_hot(torch.from_numpy(mask * counted).long(), 4).permute(2, 0, 1)[None]
            for mask in (pred, truth)
        ]
        undefined = ~(maps[0] | maps[1]).flatten(2).any(-1)[0, 1:]
        for name, scorer in (('Dice', DiceMetric), ('Jaccard', MeanIoU)):
            # It would leave out what is absent from the truth alone.
            scores = scorer(include_background=False, ignore_empty=False)(*maps)[0]
            scores[undefined] = np.nan
            expected[name].append(scores.numpy())
    found = metric.compute_metrics(metric.results)
    for name, scores in expected.items():
        scores = np.array(scores)
        for label, bone in enumerate(CLASSES[1:]):
            column = scores[:, label]
            assert found[f'undefined.{bone}'] == np.isnan(column).sum()
            if np.isnan(column).all():
                assert f'{name}.{bone}' not in found
            else:
                assert found[f'{name}.{bone}'] == pytest.approx(
                    100 * np.nanmean(column), abs=1e-4
                )


@st.composite
def predictions(draw):
    """Logits up to 1e4 in size, and labels at twice their resolution."""
    batch, height, width = draw(st.integers(1, 2)), draw(SIDE), draw(SIDE)
    scale = draw(st.sampled_from([1.0, 30.0, 1e4]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    logits = scale * (2 * torch.rand(batch, 4, height, width, generator=generator) - 1)
    label = torch.stack(
        [
            torch.from_numpy(
                np.kron(
                    draw(
                        arrays.arrays(
                            np.int64,
                            (height, width),
                            elements=st.sampled_from([0, 1, 2, 3, 255]),
                            fill=st.sampled_from([0, 3, 255]),
                        )
                    ),
                    np.ones((2, 2), np.int64),
                )
            )
            for _ in range(batch)
        ]
    )
    return logits.requires_grad_(), label


@pytest.mark.parametrize(
    'loss, on_key',
    [
        (SyncCrossEntropyLoss(), False),
        (SyncCrossEntropyLoss([0.1, 1, 2, 3]), False),
        (TotalVariationLoss(), False),
        (CenterRegressionLoss(), True),
        (CenterRegressionLoss(segments='class'), True),
        (CenterRegressionLoss(mode='offset'), True),
    ],
    ids=lambda value: getattr(value, 'mode', type(value).__name__),
)
@given(predictions())
def test_losses(loss, on_key, drawn):
    """Finite with finite gradients; neither a repeated batch nor more ignored
    images change them."""
    logits, label = drawn

    def value(logits, label):
        if not on_key:  # at the resolution of the logits
            label = label[:, ::2, ::2]
        return loss(logits, label)

    found = value(logits, label)
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.isfinite() and found >= 0
    assert gradient.isfinite().all()
    for other in (label, torch.full_like(label, 255)):
        if isinstance(loss, TotalVariationLoss) and other is not label:
            continue
        repeated = value(torch.cat([logits, logits]), torch.cat([label, other]))
        torch.testing.assert_close(repeated, found, rtol=1e-4, atol=1e-6)


@st.composite
def phantoms(draw):
    """Parameters from all that the presets span, and half as far beyond where allowed."""
    values = {}
    for field, kind in PhantomParams.__annotations__.items():
        if kind == 'Chance':
            values[field] = draw(st.floats(0, 1))
        elif kind in ('Range', 'Amount', 'Size', 'Share', 'Count') and field not in FRAME:
            ranges = [getattr(params, field) for params in PRESETS.values()]
            low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
            margin = (high - low) / 2
            least = dict(
                Range=low - margin,
                Amount=max(low - margin, 0),
                Share=0,
                Size=max(low - margin, low / 9),
                Count=field == 'num_thoracic',
            )[kind]
            most = min(high + margin, 1) if kind == 'Share' else high + margin
            between = (
                st.integers(least, int(most))
                if kind == 'Count'
                else st.floats(least, most)
            )
            values[field] = tuple(sorted([draw(between), draw(between)]))
    return replace(PRESETS['hard'], **values)


@settings(max_examples=max(5, settings.default.max_examples // 4))
@given(phantoms(), st.integers(0, 2**40))
def test_any_phantom_is_a_case(params, seed):
    try:
        case = make_case(seed, params)
    except InputError as error:  # short spines can be cropped away altogether
        assert 'no vertebra' in str(error)
        return
    assert case.image.dtype == case.mask.dtype == np.uint8
    assert case.image.shape == case.mask.shape
    assert set(np.unique(case.mask)) <= {0, 1, 2, 3}
    assert case.image.max() > 0


@st.composite
def files(draw):
    """A whole file of some kind with some of its bytes changed, cut off or added."""
    pixels = np.arange(16 * 24, dtype=np.uint16).reshape(16, 24)
    kind = draw(
        st.sampled_from(
            ['png', '16 bits', 'jpg', 'bmp', 'tif', 'split', 'bytes', 'palette', 'pages']
        )
    )
    if kind == 'bytes':
        return draw(st.binary(max_size=200))
    if kind == 'split':
        content = draw(st.text(max_size=40)).encode('utf-8', 'surrogatepass')
    elif kind in ('palette', 'pages'):
        picture = Image.fromarray((pixels % 4).astype(np.uint8))
        buffer = io.BytesIO()
        if kind == 'palette':
            picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
            picture.save(buffer, 'PNG')
        else:
            blank = Image.new('L', picture.size)
            picture.point(lambda value: value > 2).save(
                buffer, 'TIFF', save_all=True, append_images=[blank, blank]
            )
        content = buffer.getvalue()
    else:
        wide = kind == '16 bits'
        content = cv2.imencode(
            '.png' if wide else f'.{kind}',
            pixels * 99 if wide else (pixels % 4).astype(np.uint8),
        )[1].tobytes()
    content = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        if content:
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(
        content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content
    ) + draw(st.binary(max_size=3))


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files())
def test_any_file_is_read_or_refused(tmp_path, content):
    path = tmp_path / 'file'
    path.write_bytes(content)
    for read in (
        read_image,
        lambda path: read_mask(path, 4),
        lambda path: read_annotation(path).labels,
        read_split,
    ):
        try:
            found = read(path)
        except InputError as error:
            assert str(path) in str(error)
            continue
        if read is read_split:
            assert found and all(name == name.strip() for name in found)
        else:
            assert found.dtype == np.uint8 and found.ndim == 2


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp('fuzz') / 'whole.pth'
    torch.save(dict(state_dict={'a': torch.arange(9.0)}, meta=dict(iter=3)), path)
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_checkpoint_is_read_or_refused(tmp_path, checkpoint, data):
    content = bytearray(checkpoint)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    assume(content != checkpoint)
    path = tmp_path / 'file.pth'
    path.write_bytes(content)
    try:
        read_checkpoint(path)
    except InputError as error:
        assert str(path) in str(error)
