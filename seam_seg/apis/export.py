"""ONNX: one file that holds the network, checked against PyTorch, and a model of it."""

import copy
import importlib
import inspect
import json
import logging
import statistics
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.utils import Upsample, resize
from mmseg.registry import TRANSFORMS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..atomic import write_whole
from ..config_lookup import network_size
from ..datasets.transforms import own_steps
from ..engine import config_name
from ..engine.other_work import OtherWork
from ..errors import InputError
from ..models.segmentors.vpi_segmentor import way_back
from ..version import __version__
from .costs import take_turns
from .inference import Model, predict
from .prediction import Prediction

OUTPUTS = ('logits', 'mask')
KEY = 'seam_seg'  # of the metadata in the file
# What a file may name as its pipeline: a registry would build anything, code included.
STEPS = ('LoadVPIImage', 'ResizeVPI', 'PackSegInputs')
NEAR_TIE = 1e-3  # logits of the two best classes are as close as that


def need(*names: str) -> List[ModuleType]:
    """Imports packages that only a part of this module needs.

    Raises:
        InputError: one is missing; the message says how to install them.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise InputError(f'ONNX: {error}. pip install {" ".join(names)}') from None


def check_steps(steps: Sequence[dict], name: str) -> None:
    """Refuses a pipeline with other steps than those of the package.

    Args:
        steps (Sequence[dict]): configs of transforms.
        name (str): of what holds them, for the message.

    Raises:
        InputError: there is another one.
    """
    for step in steps:
        if step.get('type') not in STEPS:
            raise InputError(
                f'{name}: holds the step {step.get("type")!r}; a file of '
                f'tools/export_onnx.py has {", ".join(STEPS)} alone.'
            )


class Exportable(nn.Module):
    """From grey levels to logits or labels, of the image's size, for any size.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`; copied.
        output (str): ``'logits'`` or ``'mask'``.
    """

    def __init__(self, model: Model, output: str) -> None:
        super().__init__()
        self.model: Model = copy.deepcopy(model).cpu()
        for module in list(self.model.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, Upsample) and child.scale_factor:
                    # mmseg's computes a size in Python, which the exporter takes for
                    # a constant.
                    setattr(
                        module,
                        name,
                        nn.Upsample(
                            scale_factor=child.scale_factor,
                            mode=child.mode,
                            align_corners=child.align_corners,
                        ),
                    )
        self.output = output

    def forward(self, image: Tensor) -> Tensor:
        """Segments grey levels.

        Args:
            image (Tensor): (1, 1, H, W) float32, 0 to 255.

        Returns:
            Tensor: logits (1, N, H, W), of a model that votes for centers followed by
            the two votes; or labels (1, 1, H, W) uint8.
        """
        preprocessor = self.model.data_preprocessor
        logits = self.model.both_sides(
            lambda inputs: resize(
                self.model._forward(inputs),
                size=inputs.shape[2:],
                mode='bilinear',
                align_corners=self.model.align_corners,
            ),
            (image - preprocessor.mean) / preprocessor.std,
        )
        if self.output == 'logits':
            return logits
        logits = logits[:, : self.model.num_classes]
        return logits.argmax(dim=1, keepdim=True).to(torch.uint8)


def export_onnx(model: Model, path: Union[str, Path], output: str = 'logits') -> None:
    """Writes a model as one ONNX file, with what prediction needs as metadata.

    The input ``image`` is (1, 1, height, width) float32, grey levels from 0 to 255 of
    the rescaled image; height and width are free, from 64 on.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (str | Path): file to write.
        output (str): name of the output: ``'logits'``, (1, N, height, width) float32
            (of a model with ``center_votes`` two channels more), or
            ``'mask'``, (1, 1, height, width) uint8. Default: ``'logits'``.

    Raises:
        InputError: the packages are missing, or the model cannot be exported as it
            predicts here.
    """
    onnx, _ = need('onnx', 'onnxscript')
    if 'dynamo' not in inspect.signature(torch.onnx.export).parameters:
        raise InputError(
            f'ONNX: torch {torch.__version__} has no exporter that keeps '
            'height and width free. Export with the tested stack.'
        )
    if not hasattr(model, 'data_preprocessor'):
        raise InputError('ONNX: give one checkpoint; several are not exported.')
    steps = [
        step
        for step in own_steps(model.cfg.test_dataloader.dataset.pipeline)
        if step['type'] != 'LoadVPIAnnotations'
    ]
    check_steps(steps, f"ONNX: the config's test pipeline {model.cfg.filename}")
    height, width = network_size(model.cfg)
    sides = {
        2: torch.export.Dim('height', min=64, max=2**14),
        3: torch.export.Dim('width', min=64, max=2**14),
    }
    # It warns of every torchvision operator that it could not register, and of what it
    # calls itself.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    warnings.filterwarnings('ignore', r'`isinstance\(treespec, LeafSpec\)`')
    try:
        program = torch.onnx.export(
            Exportable(model, output).eval(),
            (torch.zeros(1, 1, height, width),),
            input_names=['image'],
            output_names=[output],
            dynamic_shapes=(sides,),
            dynamo=True,
            verbose=False,
        )
    except Exception as error:  # the exporter fails in many ways
        raise InputError(
            'ONNX: this network cannot be exported with a free height and width '
            f'({type(error).__name__}). SEAM and the attention heads on an FPN can.'
        ) from error
    assert program is not None  # of the exporter that dynamo asks for
    content = program.model_proto
    onnx.helper.set_model_props(
        content,
        {
            KEY: json.dumps(
                dict(
                    classes=list(model.dataset_meta['classes']),
                    palette=[list(colour) for colour in model.dataset_meta['palette']],
                    pipeline=[dict(step) for step in steps],
                    output=output,
                    resize=getattr(model, 'resize', 'mask'),
                    config=config_name(model.cfg),
                    version=__version__,
                )
            )
        },
    )
    write_whole(path, content.SerializeToString())


class OnnxModel:
    """A model from an ONNX file, as :class:`.Segmenter` and what it asks of a segmentor.

    Args:
        path (str | Path): from :func:`export_onnx`, with logits.

    Raises:
        InputError: the packages are missing, or the file is none of ours; one whose
            pipeline names anything but the package's steps is not run.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        (onnxruntime,) = need('onnxruntime')
        if not Path(path).is_file():
            raise InputError(f'{path}: no such file.')
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), providers=onnxruntime.get_available_providers()
            )
        except Exception as error:  # onnxruntime's own classes of errors
            raise InputError(
                f'{path}: no ONNX file, or a damaged one ({type(error).__name__}).'
            ) from error
        properties = self.session.get_modelmeta().custom_metadata_map
        if KEY not in properties:
            raise InputError(f'{path}: not written by tools/export_onnx.py.')
        meta = json.loads(properties[KEY])
        check_steps(meta['pipeline'], str(path))
        if meta['output'] != 'logits':
            raise InputError(
                f'{path}: holds labels only, without confidences. Export it '
                'with --output logits.'
            )
        init_default_scope('mmseg')
        self.pipeline = [TRANSFORMS.build(step) for step in meta['pipeline']]
        self.dataset_meta = dict(classes=tuple(meta['classes']), palette=meta['palette'])
        self.classes = self.dataset_meta['classes']
        self.resize = meta.get('resize', 'mask')  # older files do not say

    def logits(self, image: np.ndarray) -> np.ndarray:
        """(N, H, W) float32 of grey levels (H, W) from 0 to 255, with votes (N + 2)."""
        return self.session.run(None, dict(image=image.astype(np.float32)[None, None]))[
            0
        ][0]

    def predict(
        self,
        image: Any,
        window: Optional[Tuple[float, float]] = None,
        spacing: Optional[Tuple[float, float]] = None,
    ) -> Prediction:
        """Segments one image; see :func:`seam_seg.apis.predict`."""
        return predict(self, image, window, spacing)

    def test_step(self, data: dict) -> List[SegDataSample]:
        """Segments a batch, as a segmentor's ``test_step``."""
        for image, sample in zip(data['inputs'], data['data_samples']):
            output = torch.from_numpy(self.logits(image[0].numpy()))
            logits, votes = output.tensor_split([len(self.dataset_meta['classes'])])
            mask = way_back(logits, sample.metainfo['ori_shape'], self.resize)
            if len(votes):
                sample.set_data(dict(votes=PixelData(data=votes)))
            sample.set_data(
                dict(seg_logits=PixelData(data=logits), pred_sem_seg=PixelData(data=mask))
            )
        return data['data_samples']


def compare(
    model: Model, path: Union[str, Path], images: Sequence[np.ndarray], rounds: int = 5
) -> dict:
    """Compares an exported file with the model it came from.

    At the size that the model rescales images to, and the first image at another one,
    since height and width are free.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (str | Path): from :func:`export_onnx`.
        images (Sequence[np.ndarray]): (H, W) uint8, at native size.
        rounds (int): for the times, which are taken in turns. Default: 5.

    Returns:
        dict: ``max_difference`` of the logits (None for labels), ``pixels``, how many
        there were, ``differing``, those of another class, ``not_ties``, those of them
        whose two best classes differ by more than 1e-3, ``torch_seconds`` and
        ``onnx_seconds``, the medians for the first image, and ``other_cores``, those
        that other processes kept busy while these were taken.
    """
    (onnxruntime,) = need('onnxruntime')
    session = onnxruntime.InferenceSession(
        str(path), providers=onnxruntime.get_available_providers()
    )
    ours = Exportable(model, 'logits').eval()
    as_mask = session.get_outputs()[0].name == 'mask'
    classes = len(model.dataset_meta['classes'])
    difference, pixels, differing, not_ties = 0.0, 0, 0, 0
    scaled = [rescale(model, image) for image in images]
    height, width = (
        32 * max(2, round(side * share / 32))
        for side, share in zip(scaled[0].shape[2:], (0.75, 1.25))
    )
    other = cv2.resize(scaled[0][0, 0], (width, height), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        for image in [*scaled, other[None, None]]:
            expected = ours(torch.from_numpy(image)).numpy()
            try:
                found = session.run(None, dict(image=image))[0]
            except Exception as error:  # onnxruntime's own classes of errors
                raise InputError(
                    f'{path}: does not run at {image.shape[2]} x {image.shape[3]} '
                    f'({type(error).__name__}); this network cannot be exported with a '
                    'free height and width. SEAM and the attention heads on an FPN can.'
                ) from error
            if not as_mask:
                difference = max(difference, float(np.abs(found - expected).max()))
                found = found[:, :classes].argmax(axis=1, keepdims=True)
            expected = expected[:, :classes]
            other = found[:, 0] != expected.argmax(axis=1)
            best = np.sort(expected, axis=1)[:, -2:]
            pixels += other.size
            differing += int(other.sum())
            not_ties += int((other & (best[:, 1] - best[:, 0] > NEAR_TIE)).sum())
        first = torch.from_numpy(scaled[0])
        others = OtherWork()
        times = take_turns(
            dict(
                torch=lambda: ours(first),
                onnx=lambda: session.run(None, dict(image=scaled[0])),
            ),
            rounds,
        )
        other_cores = others.cores()
    return dict(
        max_difference=None if as_mask else difference,
        pixels=pixels,
        differing=differing,
        not_ties=not_ties,
        torch_seconds=statistics.median(times['torch']),
        onnx_seconds=statistics.median(times['onnx']),
        other_cores=other_cores,
    )


def rescale(model: Model, image: np.ndarray) -> np.ndarray:
    """An image as the network gets it: (1, 1, h, w) float32, 0 to 255."""
    steps = Compose(model.pipeline[1:])
    sample = dict(img=image, ori_shape=image.shape, img_shape=image.shape)
    batch = pseudo_collate([steps(sample)])
    return batch['inputs'][0][:1].numpy().astype(np.float32)[None]
