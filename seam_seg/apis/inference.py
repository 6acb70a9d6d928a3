"""A trained model, and the mask that it predicts for an image."""

import copy
import functools
import logging
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS, TRANSFORMS
from mmseg.structures import SegDataSample
from skimage import measure
from torch import Tensor, nn

from ..config_lookup import building, get_config
from ..datasets import VPIDataset
from ..datasets.arrays import grey_of
from ..datasets.history import file_digest
from ..datasets.listing import split_name
from ..datasets.readers import read_image, read_left, read_spacing
from ..datasets.transforms import own_steps
from ..engine import (
    carried_config,
    check_weights,
    config_name,
    differences,
    own_config,
    read_checkpoint,
)
from ..engine.carried_config import model_settings, shorten
from ..errors import InputError
from ..evaluation.instances import fit_to_mask, group_votes, split_pieces
from ..models.segmentors.vpi_segmentor import largest, mean_result
from ..weights import READY_WEIGHTS
from .prediction import Prediction

# A segmentor from init_model, or what has its test_step, pipeline and dataset_meta, as an
# ONNX file. torch types whatever else a module has as a tensor or a module.
Model = Any
File = Union[str, Path]


def load_weights(
    model: nn.Module,
    checkpoint: File,
    trust: bool = False,
    config: Optional[Config] = None,
) -> dict:
    """Loads a checkpoint, all of it or not at all, without running code of its own.

    Args:
        model (nn.Module): the segmentor.
        checkpoint (str | Path): file written by a training.
        trust (bool): also loads what could run code. Default: False.
        config (Config, optional): that the model was built from, see
            :func:`check_config_of`. Default: None, which is not compared.

    Returns:
        dict: the ``meta`` of the checkpoint.

    Raises:
        InputError: no such file, no checkpoint, one that holds more than tensors,
            numbers and strings, or weights of another model.
    """
    content = read_checkpoint(checkpoint, trust)
    if config is not None:
        check_config_of(content, checkpoint, config)
    return _put_weights(model, content, checkpoint)


def _put_weights(model: nn.Module, content: Any, checkpoint: File) -> dict:
    """Loads the content of a checkpoint; returns its ``meta``."""
    model.load_state_dict(check_weights(model, content, checkpoint), strict=False)
    return content.get('meta', {})


def check_config_of(content: Any, checkpoint: File, config: Config) -> None:
    """Compares a config with the one that a checkpoint carries.

    Weights of one model can fit another, whose masks they make wrong without a word. A
    difference to the config that this very checkpoint carries is meant, and warned of;
    so is a checkpoint that carries none.

    Args:
        content (Any): of the checkpoint.
        checkpoint (str | Path): its name, for messages.
        config (Config): that its model is to be built from.

    Raises:
        InputError: they differ in what changes the masks; the message names it.
    """
    carried = carried_config(content)
    name = config_name(config) or '(in memory)'
    if carried is None:
        warn(
            f'checkpoint {checkpoint}: does not carry its config. Whether {name} is the '
            'one that it was trained with cannot be checked.'
        )
        return
    came_with = (config.get('origin') or {}).get('checkpoint')
    for difference in differences(config, carried):
        if came_with == str(checkpoint):
            warn(f'not as {checkpoint} was trained: {difference}.')
        elif came_with is not None:
            raise InputError(
                f'the checkpoints {came_with} and {checkpoint} are of different models: '
                f'{difference.key} is {shorten(difference.given)} and '
                f'{shorten(difference.carried)}. '
                'Use one at a time.'
            )
        else:
            raise InputError(
                f'config {name} and checkpoint {checkpoint} disagree: {difference}. '
                'Leave the config out: the checkpoint carries its own. To test with '
                'something else on purpose, leave it out and give --cfg-options.'
            )


def warn(message: str) -> None:
    """Warns in one line on stderr, where nobody has set up logging otherwise."""
    logging.getLogger('seam_seg').warning('warning: %s', message)


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
            list[SegDataSample]: see :func:`mean_result`.
        """
        # A segmentor writes its results into the samples that it is given.
        modules: Sequence[Model] = list(self.models)
        results = [model.test_step(copy.deepcopy(data)) for model in modules]
        resize = getattr(modules[0], 'resize', 'mask')
        return [mean_result(samples, resize) for samples in zip(*results)]


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
        return MODELS.build(model_settings(cfg))


def init_model(
    config: Union[str, Path, Config, None] = None,
    checkpoint: Union[File, Sequence[File], None] = None,
    device: Optional[str] = None,
    trust: bool = False,
) -> Model:
    """Builds a model and loads its weights.

    Args:
        config (str | Path | Config, optional): a config, its path, or the name of one of
            the package's configs. Default: the one that the checkpoint carries.
        checkpoint (str | Path | Sequence, optional): file written by a training; of
            several of one config, the probabilities are averaged. Default: the ready
            weights of the package.
        device (str, optional): Default: ``'cuda'`` where there is one, else ``'cpu'``.
        trust (bool): see :func:`load_weights`. Default: False.

    Returns:
        nn.Module: the segmentor in evaluation mode, with ``cfg``, ``dataset_meta`` and
        ``pipeline`` (the steps of the test pipeline that an image needs).

    Raises:
        InputError: the config, the checkpoint or the device cannot be used, or one does
            not belong to the other (:func:`check_config_of`).
    """
    target = find_device(device)
    cfg = get_config(str(config)) if isinstance(config, (str, Path)) else config
    checkpoint = READY_WEIGHTS if checkpoint is None else checkpoint
    files = [checkpoint] if isinstance(checkpoint, (str, Path)) else checkpoint
    models, metas = [], []
    for file in files:
        content = read_checkpoint(file, trust)
        if config is None:  # each has to carry one, and the first one's is taken
            own = own_config(content, file, trust)
            cfg = own if cfg is None else cfg
        assert cfg is not None
        check_config_of(content, file, cfg)
        models.append(build_model(cfg))
        metas.append(_put_weights(models[-1], content, file))
    assert cfg is not None
    stated = [meta.get('dataset_meta') or VPIDataset.METAINFO for meta in metas]
    dataset_meta = stated[0]
    count = models[0].decode_head.num_classes
    for file, meta in zip(files, stated):
        if not (
            isinstance(meta, dict)
            and all(len(meta.get(key) or ()) == count for key in ('classes', 'palette'))
        ):
            raise InputError(
                f'checkpoint {file}: its dataset_meta does not name the '
                f'{count} classes of the model with a colour for each.'
            )
        if list(meta['classes']) != list(dataset_meta['classes']):
            raise InputError(
                f'the checkpoints {files[0]} and {file} have other classes, or in '
                f'another order: {", ".join(dataset_meta["classes"])}; '
                f'{", ".join(meta["classes"])}.'
            )
    model: Model = models[0] if len(models) == 1 else Ensemble(models)
    model.cfg = cfg
    with building(cfg, 'test_dataloader.dataset.pipeline'):
        model.pipeline = [
            TRANSFORMS.build(step)
            for step in own_steps(cfg.test_dataloader.dataset.pipeline)
            if step['type'] != 'LoadVPIAnnotations'
        ]
    model.dataset_meta = dataset_meta
    if target.type == 'cpu':  # a fifth faster there (studies/speed); elsewhere unmeasured
        model.to(memory_format=torch.channels_last)
    return model.to(target).eval()


def predict(
    model: Model,
    image: Any,
    window: Optional[Tuple[float, float]] = None,
    spacing: Optional[Tuple[float, float]] = None,
) -> Prediction:
    """Segments one image.

    Args:
        model (nn.Module): from :func:`init_model`.
        image (str | Path | np.ndarray | Tensor | PIL.Image.Image): a file, or what a
            library has read of one, see :func:`seam_seg.datasets.arrays.grey_of`.
        window (tuple[float, float], optional): grey levels that become black and white.
            Default: those of the config, or else of the file.
        spacing (tuple[float, float], optional): height and width of a pixel in mm.
            Default: what the image says.

    Returns:
        Prediction: at the original size.

    Raises:
        InputError: it is no grey image; the message names the file, or says what is wrong
            with the array.
    """
    load, *steps = model.pipeline
    window = load.window if window is None else window
    if isinstance(image, (str, Path)):
        name = split_name(image)[0]
        grey, said = read_image(image, window), read_spacing(image)
        image_left, source = read_left(image), file_digest(Path(image))
    else:
        name, image_left, source = 'image', 'unknown', ''
        grey, said = grey_of(image, window)
    if spacing is None and said is not None:
        spacing = (said.row, said.column)
    sample = dict(img=grey, ori_shape=grey.shape, img_shape=grey.shape)
    with torch.no_grad():
        result = model.test_step(pseudo_collate([Compose(steps)(sample)]))[0]
    scores = result.seg_logits.data.float().softmax(dim=0)
    mask = result.pred_sem_seg.data.squeeze(0).byte().cpu().numpy()
    _, confidence = largest(scores, grey.shape)
    meta = model.dataset_meta
    return Prediction(
        mask,
        confidence,
        grey,
        _bone_finder(result, mask),
        tuple(meta['classes']),
        tuple(tuple(colour) for colour in meta['palette']),
        scores.cpu().numpy(),
        spacing,
        name,
        image_left,
        source,
    )


def _bone_finder(result: SegDataSample, mask: np.ndarray) -> Callable[[], np.ndarray]:
    """Tells the bones of a mask apart, (H, W) int32; holds nothing else of the result."""
    if 'bones' in result:  # of an ONNX file, which groups them itself
        return functools.partial(split_pieces, result.bones.data.squeeze(0).numpy())
    if 'votes' not in result:
        return functools.partial(_find_components, mask)
    maps = result.seg_logits.data, result.votes.data
    return functools.partial(_find_voted, mask, *maps)


def _find_components(mask: np.ndarray) -> np.ndarray:
    return measure.label(mask, connectivity=2).astype(np.int32)


def _find_voted(mask: np.ndarray, logits: Tensor, votes: Tensor) -> np.ndarray:
    labels, _ = largest(logits, logits.shape[1:])
    grouped = group_votes(labels, votes.float().cpu().numpy())
    return split_pieces(fit_to_mask(grouped, labels, mask))


def predict_mask(model: Model, image: Any) -> np.ndarray:
    """The mask of :func:`predict`, (H, W) uint8 labels at the original size."""
    return predict(model, image).mask


class Segmenter:
    """A trained model, for images of files or arrays.

    Args:
        checkpoint (str | Path | Sequence, optional): file written by a training; of
            several, the probabilities are averaged. Default: the ready weights.
        config (str | Path | Config, optional): see :func:`init_model`. Default: the one
            that the checkpoint carries.
        device (str, optional): Default: ``'cuda'`` where there is one, else ``'cpu'``.
        trust (bool): see :func:`load_weights`. Default: False.

    Attributes:
        model (nn.Module): of :func:`init_model`.
        classes (tuple[str, ...]): the meaning of labels 0, 1, 2...

    Raises:
        InputError: as of :func:`init_model`.
    """

    def __init__(
        self,
        checkpoint: Union[File, Sequence[File], None] = None,
        config: Union[str, Path, Config, None] = None,
        device: Optional[str] = None,
        trust: bool = False,
    ) -> None:
        self.model = init_model(config, checkpoint, device, trust)
        self.classes = tuple(self.model.dataset_meta['classes'])

    def predict(
        self,
        image: Any,
        window: Optional[Tuple[float, float]] = None,
        spacing: Optional[Tuple[float, float]] = None,
    ) -> Prediction:
        """Segments one image; see :func:`predict`."""
        return predict(self.model, image, window, spacing)
