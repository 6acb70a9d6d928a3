"""ONNX: one file that holds all of prediction, checked against PyTorch; a model of it."""

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
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.structures import SegDataSample

from ..atomic import write_whole
from ..config_lookup import network_size
from ..datasets.readers import LARGEST_SIDE, SMALLEST_SIDE
from ..datasets.transforms import LoadVPIImage, own_steps
from ..engine import config_name
from ..engine.other_work import OtherWork
from ..errors import InputError
from ..evaluation.instances import count_overlaps
from ..version import __version__
from .costs import take_turns
from .inference import Model, predict
from .prediction import Prediction
from .whole_image import WholeImage

KEY = 'seam_seg'  # of the metadata in the file
OUTPUTS = ('mask', 'probabilities', 'instances')  # the last of models that vote
# What the graph does, but for the first, which reads a file.
STEPS = ['LoadVPIImage', 'ResizeVPI', 'PackSegInputs']


def need(*names: str) -> List[ModuleType]:
    """Imports packages that only a part of this module needs.

    Raises:
        InputError: one is missing; the message says how to install them.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise InputError(f'ONNX: {error}. pip install {" ".join(names)}') from None


def export_onnx(model: Model, path: Union[str, Path]) -> None:
    """Writes a model, and what prediction does before and after it, as one ONNX file.

    The input ``image`` is (height, width) uint8, grey levels at any size; outputs are
    those of :class:`.WholeImage`. The metadata ``seam_seg`` is JSON: ``classes``,
    ``palette``, ``window`` (of :class:`.LoadVPIImage`), ``config`` and ``version``.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (str | Path): file to write.

    Raises:
        InputError: the packages are missing, or the model cannot be exported.
    """
    onnx, _ = need('onnx', 'onnxscript')
    if 'dynamo' not in inspect.signature(torch.onnx.export).parameters:
        raise InputError(
            f'ONNX: torch {torch.__version__} has no exporter that keeps '
            'height and width free. Export with the tested stack.'
        )
    if not hasattr(model, 'data_preprocessor'):
        raise InputError('ONNX: give one checkpoint; several are not exported.')
    kinds = [
        step['type']
        for step in own_steps(model.cfg.test_dataloader.dataset.pipeline)
        if step['type'] != 'LoadVPIAnnotations'
    ]
    if kinds != STEPS:
        raise InputError(
            f'ONNX: the test pipeline of {config_name(model.cfg)} has the steps '
            f'{", ".join(kinds)}; only {", ".join(STEPS)} are exported.'
        )
    whole = WholeImage(model).eval()
    image = torch.zeros(640, 160, dtype=torch.uint8)
    with torch.no_grad():
        outputs = OUTPUTS[: len(whole(image))]
    # It warns of every torchvision operator that it could not register, and of what it
    # calls itself.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    warnings.filterwarnings('ignore', r'`isinstance\(treespec, LeafSpec\)`')
    height, width = (
        torch.export.Dim(name, min=SMALLEST_SIDE, max=LARGEST_SIDE)
        for name in ('height', 'width')
    )
    try:
        program = torch.onnx.export(
            whole,
            (image,),
            input_names=['image'],
            output_names=outputs,
            dynamic_shapes=({0: height, 1: width},),
            dynamo=True,
            verbose=False,
        )
    except Exception as error:  # the exporter fails in many ways
        raise InputError(
            f'ONNX: this network cannot be exported ({type(error).__name__}); those of '
            'the configs of seam_seg can.'
        ) from error
    assert program is not None  # of the exporter that dynamo asks for
    content = program.model_proto
    said = dict(
        classes=list(model.dataset_meta['classes']),
        palette=[list(colour) for colour in model.dataset_meta['palette']],
        window=model.pipeline[0].window,
        config=config_name(model.cfg),
        version=__version__,
    )
    onnx.helper.set_model_props(content, {KEY: json.dumps(said)})
    write_whole(path, content.SerializeToString())


class OnnxModel:
    """A model from an ONNX file, as :class:`.Segmenter` and what it asks of a segmentor.

    Args:
        path (str | Path): from :func:`export_onnx`.

    Attributes:
        classes (tuple[str, ...]): the meaning of labels 0, 1, 2...

    Raises:
        InputError: the packages are missing, or the file is none of ours.
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
        said = json.loads(properties[KEY])
        if 'window' not in said:
            raise InputError(
                f'{path}: written by version {said.get("version")}, whose files held the '
                'network alone. Export it again.'
            )
        init_default_scope('mmseg')
        self.pipeline = [LoadVPIImage(said['window']), PackSegInputs()]
        self.dataset_meta = dict(classes=tuple(said['classes']), palette=said['palette'])
        self.classes = self.dataset_meta['classes']

    def predict(
        self,
        image: Any,
        window: Optional[Tuple[float, float]] = None,
        spacing: Optional[Tuple[float, float]] = None,
    ) -> Prediction:
        """Segments one image; see :func:`seam_seg.apis.predict`."""
        return predict(self, image, window, spacing)

    def test_step(self, data: dict) -> List[SegDataSample]:
        """Segments a batch, as a segmentor's ``test_step``; adds the ``bones``."""
        for image, sample in zip(data['inputs'], data['data_samples']):
            found = self.session.run(None, dict(image=image[0].numpy()))
            mask, probabilities, *bones = map(torch.from_numpy, found)
            sample.set_data(
                dict(
                    seg_logits=PixelData(data=probabilities.log()),
                    pred_sem_seg=PixelData(data=mask[None]),
                )
            )
            if bones:
                sample.set_data(dict(bones=PixelData(data=bones[0][None])))
        return data['data_samples']


def of_other_bones(one: np.ndarray, other: np.ndarray) -> int:
    """The pixels that two maps of bones give to different ones, whatever the numbers.

    Args:
        one, other (np.ndarray): (H, W), a number for each bone, 0 outside.

    Returns:
        int: the more of those that are split and those that are joined.
    """
    shared = count_overlaps(one, other)
    return int(shared.sum() - min(shared.max(axis=axis).sum() for axis in (0, 1)))


def compare(
    model: Model, path: Union[str, Path], images: Sequence[np.ndarray], rounds: int = 5
) -> dict:
    """Compares what an exported file predicts with what the model does.

    Of each image at a size of its own, from five times that of the network down to it.
    Smaller images are enlarged, which OpenCV does with fewer bits than the file.

    Args:
        model (nn.Module): from :func:`seam_seg.apis.init_model`.
        path (str | Path): from :func:`export_onnx`.
        images (Sequence[np.ndarray]): (H, W) uint8.
        rounds (int): for the times, which are taken in turns. Default: 5.

    Returns:
        dict: ``max_difference`` of the probabilities, ``pixels``, how many there were,
        ``differing``, those of another class, ``other_bone``, those of another bone,
        whatever its number, if the file finds bones, ``torch_seconds`` and
        ``onnx_seconds``, the medians for the first image, and ``other_cores``, those that
        other processes kept busy while these were taken.

    Raises:
        InputError: the file does not run.
    """
    exported = OnnxModel(path)
    finds_bones = len(exported.session.get_outputs()) == len(OUTPUTS)
    size = np.array(network_size(model.cfg))
    images = [
        cv2.resize(image, np.rint(times * size).astype(int).tolist()[::-1])
        for image, times in zip(images, np.linspace(5, 1, len(images)))
    ]
    difference, pixels, differing, other_bone = 0.0, 0, 0, 0
    for image in images:
        expected = predict(model, image)
        try:
            found = predict(exported, image)
        except RuntimeError as error:  # onnxruntime's classes of errors are of this one
            raise InputError(
                f'{path}: does not run at {image.shape[0]} x {image.shape[1]} '
                f'({type(error).__name__}); this network cannot be exported.'
            ) from error
        assert expected.scores is not None and found.scores is not None
        apart = np.abs(found.scores - expected.scores).max()
        difference = max(difference, float(apart))
        pixels += image.size
        differing += int((found.mask != expected.mask).sum())
        if finds_bones:  # else one pixel could join or part what is connected
            other_bone += of_other_bones(expected.bones, found.bones)
    others = OtherWork()
    times = take_turns(
        dict(
            torch=lambda: predict(model, images[0]).bones,
            onnx=lambda: predict(exported, images[0]).bones,
        ),
        rounds,
    )
    return dict(
        max_difference=difference,
        pixels=pixels,
        differing=differing,
        other_bone=other_bone,
        torch_seconds=statistics.median(times['torch']),
        onnx_seconds=statistics.median(times['onnx']),
        other_cores=others.cores(),
    )
