"""Where the configs are, in a clone as in an installed wheel, and whose an error is."""

import contextlib
import difflib
import sys
from pathlib import Path
from typing import Any, Iterator, Sequence, Tuple, Type

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from .errors import InputError

PACKAGE = Path(__file__).resolve().parent
# By this entry in mmengine's table of packages `_base_ = 'seam_seg::FOLDER/FILE.py'` is
# found. (In a clone, seam_seg/.mim links to the configs; a wheel has them there.)
MODULE2PACKAGE.setdefault(PACKAGE.name, PACKAGE.name)
# Of a run. A RuntimeError is as likely that of a GPU, or of a network.
FAULTS = (AssertionError, AttributeError, ImportError, KeyError, TypeError, ValueError)


def project_root() -> Path:
    """The folder that holds ``configs/`` and ``tools/``.

    Returns:
        Path: the root of the clone, or ``seam_seg/.mim`` in an installed wheel (the
        build copies both folders there, as mmseg's does).
    """
    clone = PACKAGE.parent
    return clone if (clone / 'configs' / '_base_').is_dir() else PACKAGE / '.mim'


def config_path(name: str) -> Path:
    """Finds a config by path or by name.

    Args:
        name (str): the path of a config file, or the name of one of the package's
            leaves with or without folder and ``.py``.

    Returns:
        Path: an existing file.

    Raises:
        InputError: no such file, or no such name.
    """
    if Path(name).is_file():
        return Path(name)
    root = project_root() / 'configs'
    leaves = {
        path.relative_to(root).with_suffix('').as_posix(): path
        for path in sorted(root.glob('*/*.py'))
        if path.parent.name != '_base_'
    }
    key = name[: -len('.py')] if name.endswith('.py') else name
    for leaf, path in leaves.items():
        if key in (leaf, path.stem, f'configs/{leaf}'):
            return path
    is_path = name.endswith('.py') or '/' in name
    raise InputError(
        f'config {name}: '
        + ('no such file.' if is_path else 'no config of seam_seg has that name.')
        + _closest(Path(key).name, [path.stem for path in leaves.values()])
        + f' Those of seam_seg are in the folders of {root}.'
    )


def _closest(name: str, leaves: Sequence[str]) -> str:
    """Says which names, at most five, are most like one that there is not.

    Also by what comes before the batch size, such as seam_r50, or by a part.
    """
    heads = [leaf.split('_1xb')[0] for leaf in leaves]
    close = difflib.get_close_matches(name, {*leaves, *heads}, n=5)
    found = [
        leaf
        for word in close
        for leaf, head in zip(leaves, heads)
        if word in (leaf, head)
    ]
    found += [leaf for leaf in leaves if name in leaf]
    names = list(dict.fromkeys(found))[:5]
    return f' The closest: {", ".join(names)}.' if names else ''


def get_config(name: str) -> Config:
    """Loads a config of the package, from a clone or from a wheel, or of one's own.

    Its ``custom_imports`` may name modules that lie beside it; seam_seg is added.

    Args:
        name (str): see :func:`config_path`.

    Returns:
        Config: mmengine's config.

    Raises:
        InputError: there is no such config, it does not parse, or it holds no model.
    """
    path = config_path(str(name))
    beside = str(path.resolve().parent)
    if Path(str(name)).is_file() and beside not in sys.path:
        sys.path.append(beside)
    try:
        cfg = Config.fromfile(str(path))
    except Exception as error:  # a config is Python: it can fail in any way
        raise InputError(
            f'config {path}: cannot be read ({type(error).__name__}: {error}). '
            'Correct the file.'
        ) from error
    import_package(cfg)
    _check_imports(cfg, path.resolve())
    missing = [key for key in ('model', 'test_dataloader') if key not in cfg]
    if missing:
        raise InputError(
            f'config {path}: has no {missing[0]!r}. Derive it from one of '
            'the configs of seam_seg (_base_).'
        )
    return cfg


def import_package(cfg: Config) -> None:
    """Has a config import seam_seg, where its own ``custom_imports`` replaced ours.

    What is written of it, as into the work dir, then works under mmseg's own tools too.
    The ``_scope_`` that mmengine notes in what comes from ``seam_seg::`` is dropped:
    everything of the package is registered in mmseg's.

    Args:
        cfg (Config): changed in place.
    """
    imports = cfg.get('custom_imports') or {}
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    if PACKAGE.name not in names:
        cfg['custom_imports'] = dict(imports, imports=[PACKAGE.name, *names])
    _drop_scope(cfg)


def _drop_scope(settings: Any) -> None:
    """Takes the package's own ``_scope_`` out of settings, at any depth."""
    if isinstance(settings, (dict, Config)):
        if settings.get('_scope_') == PACKAGE.name:
            del settings['_scope_']
        for value in settings.values():
            _drop_scope(value)
    elif isinstance(settings, (list, tuple)):
        for value in settings:
            _drop_scope(value)


def _check_imports(cfg: Config, path: Path) -> None:
    """Refuses another module than the one beside a config, loaded under its name."""
    names = cfg.custom_imports.imports
    for name in [names] if isinstance(names, str) else names:
        top = name.split('.')[0]
        loaded = getattr(sys.modules.get(top), '__file__', None)
        for beside in (path.parent / f'{top}.py', path.parent / top / '__init__.py'):
            if beside.is_file() and loaded and not beside.samefile(loaded):
                raise InputError(
                    f'config {path}: imports {top}, and means {beside}, but {loaded} has '
                    'that name already. Rename one of them.'
                )


def network_size(cfg: Config) -> Tuple[int, int]:
    """The (height, width) that a config's test pipeline rescales images to.

    The paper's 1024 x 256 where it does not rescale.
    """
    scales = [
        step['scale']
        for step in cfg.test_dataloader.dataset.pipeline
        if step['type'] == 'ResizeVPI'
    ]
    return tuple(scales[0][::-1]) if scales else (1024, 256)


@contextlib.contextmanager
def building(
    cfg: Config, section: str, errors: Tuple[Type[Exception], ...] = (Exception,)
) -> Iterator[None]:
    """The one place that calls an exception the config's fault.

    Args:
        cfg (Config): that something is built from inside the block.
        section (str): of the config, for the message.
        errors (tuple[Type[Exception], ...]): those that are. Default: any.

    Raises:
        InputError: one was raised. An InputError keeps its message, and what the system
            refuses its file name.
    """
    try:
        yield
    except (InputError, OSError):
        raise
    except errors as error:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise InputError(
            f'config {getattr(cfg, "filename", None) or "(in memory)"}: {section} cannot '
            f'be built ({type(error).__name__}: {" ".join(str(said).split())}). '
            'Correct it, or --cfg-options.'
        ) from error
