"""A trained model, and the mask that it predicts for an image."""

import copy
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence, Union

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from torch import nn

from ..config_lookup import building, get_config
from ..datasets import VPIDataset
from ..datasets.readers import read_image, to_uint8
from ..engine import check_weights, read_checkpoint
from ..errors import InputError
from ..models.segmentors.vpi_segmentor import resize_mask
from ..weights import READY_CONFIG, READY_WEIGHTS

# A segmentor from init_model, or what has its test_step, pipeline and dataset_meta, as an
# ONNX file. torch types whatever else a module has as a tensor or a module.
Model = Any


def load_weights(
    model: nn.Module, checkpoint: Union[str, Path], trust: bool = False
) -> dict:
    """Loads a checkpoint, all of it or not at all, without running code of its own.

    Args:
        model (nn.Module): the segmentor.
        checkpoint (str | Path): file written by a training.
        trust (bool): also loads what could run code. Default: False.

    Returns:
        dict: the ``meta`` of the checkpoint.

    Raises:
        InputError: no such file, no checkpoint, one that holds more than tensors,
            numbers and strings, or weights of another model.
    """
    path = Path(checkpoint)
    content = read_checkpoint(path, trust)
    model.load_state_dict(check_weights(model, content, path), strict=False)
    return content.get('meta', {})


def find_device(name: Optional[str] = None) -> torch.device:
    """The device to predict on.

    Args:
        name (str, optional): Default: ``'cuda'`` where there is one, else ``'cpu'``.

    Returns:
        torch.device: one that can be used.

    Raises:
        InputError: it cannot.
    """
    name = name or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch raises either
        reason = str(error).splitlines()[0].rstrip('.')
        raise InputError(
            f'device {name}: cannot be used here ({reason}). Without '
            '--device, the GPU is taken where there is one.'
        ) from error


class Ensemble(nn.Module):
    """Several trainings of one config, as one model: the mean of their probabilities.

    Args:
        models (Sequence[nn.Module]): segmentors, as of the folds of a cross-validation.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def test_step(self, data: dict) -> List[SegDataSample]:
        """Segments a batch, as a segmentor's ``test_step``.

        Args:
            data (dict): ``inputs`` and ``data_samples``.

        Returns:
            list[SegDataSample]: ``seg_logits`` are the logarithms of the mean
            probabilities, ``pred_sem_seg`` their largest.
        """
        # A segmentor writes its results into the samples that it is given.
        modules: Sequence[Model] = list(self.models)
        results = [model.test_step(copy.deepcopy(data)) for model in modules]
        merged = results[0]
        for sample, *others in zip(*results):
            mean = torch.stack(
                [one.seg_logits.data.float().softmax(dim=0) for one in (sample, *others)]
            ).mean(dim=0)
            sample.seg_logits.data = mean.log()
            mask = mean.argmax(dim=0, keepdim=True)
            sample.pred_sem_seg.data = resize_mask(mask, sample.metainfo['ori_shape'])
        return merged


def build_model(cfg: Config) -> Model:
    """Builds the model of a config, without weights.

    Args:
        cfg (Config): of which ``model`` is built.

    Returns:
        nn.Module: the segmentor.

    Raises:
        InputError: it cannot be built.
    """
    init_default_scope(cfg.get('default_scope', 'mmseg'))
    with building(cfg, 'model'):
        return MODELS.build(cfg.model)


def init_model(
    config: Union[str, Path, Config] = READY_CONFIG,
    checkpoint: Union[str, Path, Sequence[Union[str, Path]]] = READY_WEIGHTS,
    device: Optional[str] = None,
    trust: bool = False,
) -> Model:
    """Builds a model and loads its weights.

    Args:
        config (str | Path | Config): a config, its path, or the name of one of the
            package's configs. Default: that of the ready weights.
        checkpoint (str | Path | Sequence): file written by a training with that config;
            of several, the probabilities are averaged. Default: the ready weights of
            the package.
        device (str, optional): Default: ``'cuda'`` where there is one, else ``'cpu'``.
        trust (bool): see :func:`load_weights`. Default: False.

    Returns:
        nn.Module: the segmentor in evaluation mode, with ``cfg``, ``dataset_meta`` and
        ``pipeline`` (the steps of the test pipeline that an image needs).

    Raises:
        InputError: the config, the checkpoint or the device cannot be used.
    """
    target = find_device(device)
    cfg = config if isinstance(config, Config) else get_config(str(config))
    files = [checkpoint] if isinstance(checkpoint, (str, Path)) else checkpoint
    models = [build_model(cfg) for _ in files]
    meta = [load_weights(model, file, trust) for model, file in zip(models, files)][0]
    dataset_meta = meta.get('dataset_meta') or VPIDataset.METAINFO
    count = models[0].decode_head.num_classes
    if not (
        isinstance(dataset_meta, dict)
        and all(
            len(dataset_meta.get(key) or ()) == count for key in ('classes', 'palette')
        )
    ):
        raise InputError(
            f'checkpoint {files[0]}: its dataset_meta does not name the '
            f'{count} classes of the model with a colour for each.'
        )
    model: Model = models[0] if len(models) == 1 else Ensemble(models)
    model.cfg = cfg
    with building(cfg, 'test_dataloader.dataset.pipeline'):
        model.pipeline = [
            TRANSFORMS.build(step)
            for step in cfg.test_dataloader.dataset.pipeline
            if step['type'] != 'LoadVPIAnnotations'
        ]
    model.dataset_meta = dataset_meta
    if target.type == 'cpu':  # a fifth faster there (studies/speed); elsewhere unmeasured
        model.to(memory_format=torch.channels_last)
    return model.to(target).eval()


class Prediction(NamedTuple):
    """What a model says of an image, at the image's size.

    Attributes:
        mask (np.ndarray): (H, W) uint8 labels.
        confidence (np.ndarray): (H, W) float32, the largest class probability.
        image (np.ndarray): (H, W) uint8, the grey levels that the model was shown.
    """

    mask: np.ndarray
    confidence: np.ndarray
    image: np.ndarray


def predict(model: Model, image: Union[str, Path, np.ndarray]) -> Prediction:
    """Segments one image.

    Args:
        model (nn.Module): from :func:`init_model`.
        image (str | Path | np.ndarray): a file, or a (H, W) grey image of 8 or 16 bits.

    Returns:
        Prediction: at the original size.

    Raises:
        InputError: the file is no grey image; the message names it.
        ValueError: the array is not a (H, W) grey image.
    """
    load, *steps = model.pipeline
    if isinstance(image, np.ndarray):
        if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                'predict: the image must be (H, W) of uint8 or uint16, got '
                f'{image.shape} of {image.dtype}'
            )
        grey = to_uint8(image, load.window)
    else:
        grey = read_image(image, load.window)
    sample = dict(img=grey, ori_shape=grey.shape, img_shape=grey.shape)
    with torch.no_grad():
        result = model.test_step(pseudo_collate([Compose(steps)(sample)]))[0]
    probability = result.seg_logits.data.float().softmax(dim=0).amax(dim=0).cpu().numpy()
    return Prediction(
        result.pred_sem_seg.data.squeeze(0).byte().cpu().numpy(),
        cv2.resize(probability, grey.shape[::-1], interpolation=cv2.INTER_LINEAR),
        grey,
    )


def predict_mask(model: Model, image: Union[str, Path, np.ndarray]) -> np.ndarray:
    """The mask of :func:`predict`, (H, W) uint8 labels at the original size."""
    return predict(model, image).mask
