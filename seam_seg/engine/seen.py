"""The images that a model was trained on, which must not choose or score it.

They are told apart by the bytes of their files, wherever these lie and whatever they are
called. One that was saved anew counts as another.
"""

from logging import Logger
from pathlib import Path
from typing import Any, Dict, Set

from ..datasets.history import file_digest
from ..datasets.vpi import TRAIN_ON_ALL
from ..errors import InputError
from .carried_config import KEY

SEEN = 'trained_on'  # beside the config that a checkpoint carries


def images_of(dataset: Any) -> Dict[str, Path]:
    """The images of a data set, by the digest of their files, or by where else they are.

    Args:
        dataset (Any): none are known of one of another library that does not say.
    """
    if not hasattr(dataset, 'get_data_info'):
        return {}
    infos = (dataset.get_data_info(i) for i in range(len(dataset)))
    paths = dict.fromkeys(Path(info['img_path']) for info in infos if 'img_path' in info)
    return {file_digest(path) if path.is_file() else str(path): path for path in paths}


def seen_by(content: Any) -> Set[str]:
    """The digests in a checkpoint of the images that its weights have seen.

    Args:
        content (Any): of a checkpoint; of an older one, or one of another program, none
            are known.
    """
    meta = content.get('meta') if isinstance(content, dict) else None
    own = meta.get(KEY) if isinstance(meta, dict) else None
    seen = own.get(SEEN) if isinstance(own, dict) else None
    held = seen if isinstance(seen, (list, tuple)) else ()
    return {item for item in held if isinstance(item, str)}


def tell_seen(dataset: Any, seen: Set[str], name: str, logger: Logger) -> None:
    """Warns of images that are to be scored, and have been trained on.

    Args:
        dataset (Any): that is scored.
        seen (set[str]): of :func:`seen_by`.
        name (str): of the checkpoint.
        logger (Logger): that is told.
    """
    images = images_of(dataset) if seen else {}
    both = sorted(images[key].name for key in images.keys() & seen)
    if both:
        logger.warning(
            f'{len(both)} of the {len(images)} images, such as {both[0]}, are among '
            f'those that checkpoint {name} was trained on: their scores say nothing '
            'about new images.'
        )


def check_apart(train: Any, val: Any) -> None:
    """Refuses to choose a checkpoint by images that it is trained on.

    Args:
        train (Any): data set of the training.
        val (Any): of the validation.

    Raises:
        InputError: they have images in common.
    """
    images = images_of(val)
    both = sorted(images[key] for key in images.keys() & images_of(train).keys())
    if both:
        raise InputError(
            f'{len(both)} of the {len(images)} validation images are trained on, such '
            f'as {both[0]}, or a copy of it: the best checkpoint would be chosen by '
            'them. Give both loaders the same val_fraction and val_seed, and remove '
            f'copies; or train on all without validation: {TRAIN_ON_ALL}'
        )
