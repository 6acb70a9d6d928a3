"""The one reader of checkpoints: it never runs code that came with a file."""

import contextlib
import io
import pickle
import pickletools
import sys
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any, Iterator, Union
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import CheckpointLoader

from ..errors import InputError

# Before the address of a checkpoint: mmengine's loader then reads it by the reader below.
GUARD = 'seam_seg.guarded://'
READY = 'seam_seg://'  # the package's own weights, see seam_seg.weights
TRUST = (
    'If you trust where it is from, add --trust-checkpoint (of tools/train.py, '
    'tools/test.py, tools/predict.py and tools/export_onnx.py), or '
    "trust_checkpoint=True to mmseg's --cfg-options."
)
# What a file of torch.serialization's old format begins with, and how many pickles
# follow upon each other there.
MAGIC, PICKLES = 0x1950A86A20F9469CFC6C, 4
# What torch raises when it refuses; torch 2.1 the last two, of some pickles.
REFUSALS = (pickle.UnpicklingError, TypeError, AssertionError)

_reading = threading.Lock()


def guarded(address: str) -> str:
    """The address under which mmengine reads a checkpoint by :func:`read_checkpoint`."""
    return address if address.startswith((GUARD, READY)) else GUARD + address


def plain(address: str) -> str:
    """The address that :func:`guarded` was given."""
    return address[len(GUARD) :] if address.startswith(GUARD) else address


@CheckpointLoader.register_scheme(prefixes=GUARD)
def load_from_guarded(filename: str, map_location: Any = None) -> Any:
    """mmengine's way to :func:`read_checkpoint`, for a run.

    Args:
        filename (str): from :func:`guarded`.
        map_location (Any): as in ``torch.load``.

    Returns:
        Any: the content, without the text ``config`` of its ``meta``: a resume would
        execute it (mmengine writes ``cfg``).

    Raises:
        InputError: see :func:`read_checkpoint`.
    """
    content = read_checkpoint(plain(filename), map_location=map_location)
    if isinstance(content, dict) and isinstance(content.get('meta'), dict):
        content['meta'].pop('config', None)
    return content


def read_checkpoint(
    address: Union[str, Path], trust: bool = False, map_location: Any = 'cpu'
) -> Any:
    """Reads tensors, numbers and strings, and nothing that could run code.

    mmengine tries that, and where it fails reads the file all the same.

    Args:
        address (str | Path): a file, or an http(s) address, which is kept in torch's
            cache as mmengine keeps it.
        trust (bool): reads whatever it holds, from wherever mmengine can. Default: False.
        map_location (Any): as in ``torch.load``. Default: ``'cpu'``.

    Returns:
        Any: what the file holds.

    Raises:
        InputError: no such file, one that holds more, or that is damaged; it is named.
    """
    name = str(address)
    if trust:
        return _read_trusted(name, map_location)
    if name.startswith(READY):
        return CheckpointLoader.load_checkpoint(name, map_location)
    if name.startswith(('http://', 'https://')):
        path = fetch(name)
    elif '://' in name:
        raise InputError(
            f'checkpoint {name}: only files and http(s) addresses are read without '
            f'running code that may come with them. {TRUST}'
        )
    else:
        path = Path(name).expanduser()
    try:
        with _nothing_else_allowed():
            return torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise InputError(f'checkpoint {name}: no such file.') from None
    except OSError as error:
        raise InputError(
            f'checkpoint {name}: cannot be read ({error.strerror or error}).'
        ) from error
    except Exception as error:  # torch.load fails in many ways
        if is_refusal(error, path):
            raise InputError(
                f'checkpoint {name}: holds more than tensors, numbers and strings, '
                f'and reading that runs code which came with the file. {TRUST}'
            ) from error
        raise InputError(
            f'checkpoint {name}: cannot be read, it is damaged or no '
            f'checkpoint ({type(error).__name__}).'
        ) from error


def _read_trusted(name: str, map_location: Any) -> Any:
    """What mmengine can read, without its first try."""
    if '://' in name:
        return CheckpointLoader.load_checkpoint(name, map_location)
    try:
        return torch.load(
            Path(name).expanduser(), map_location=map_location, weights_only=False
        )
    except FileNotFoundError:
        raise InputError(f'checkpoint {name}: no such file.') from None
    except Exception as error:  # of whatever code it holds
        raise InputError(
            f'checkpoint {name}: cannot be read ({type(error).__name__}: {error}).'
        ) from error


@contextlib.contextmanager
def _nothing_else_allowed() -> Iterator[None]:
    """Takes back what others allowed torch to build, as mmengine does with getattr.

    The list is the process's. It is touched only where somebody has added to it just
    then: torch's own classes may stay.
    """
    # torch before 2.5 has no such list.
    listed = getattr(torch.serialization, 'get_safe_globals', list)
    with _reading:
        allowed: list = listed()
        owners = [item[0] if isinstance(item, tuple) else item for item in allowed]
        homes = [str(getattr(owner, '__module__', '')) for owner in owners]
        if all(home.startswith('torch.') for home in homes):
            yield
            return
        torch.serialization.clear_safe_globals()
        try:
            yield
        finally:
            torch.serialization.add_safe_globals(allowed)


def is_refusal(error: Exception, path: Path) -> bool:
    """Whether torch failed since a file holds more than it may, not since it is damaged.

    torch's messages differ from version to version, and from one way of refusing to the
    next. What holds for all of them: the file is whole, and what is pickled in it is
    well formed to its end, as the standard library reads it without running it.

    Args:
        error (Exception): of ``torch.load`` with ``weights_only``.
        path (Path): the file.

    Returns:
        bool: True if it was refused.
    """
    try:
        with path.open('rb') as file:
            start = file.read(4)
        if start == b'PK\x03\x04':
            with zipfile.ZipFile(path) as archive:
                name = next(n for n in archive.namelist() if n.endswith('/data.pkl'))
                return (
                    isinstance(error, REFUSALS)
                    and archive.testzip() is None
                    and _is_well_formed(io.BytesIO(archive.read(name)))
                )
        if tarfile.is_tarfile(path):  # torch 0.1; refused as such, by a RuntimeError
            with tarfile.open(path, 'r:') as archive:
                return _is_well_formed(archive.extractfile('pickle'))
        with path.open('rb') as file:
            return isinstance(error, REFUSALS) and _is_well_formed(file)
    except Exception:  # the modules for archives fail in many ways, as on any damage
        return False


def _is_well_formed(stream: Any) -> bool:
    """Whether a pickle, or those of torch's old format, can be read to the end."""
    for number in range(PICKLES):
        codes = list(pickletools.genops(stream))
        if number == 0 and MAGIC not in [argument for _, argument, _ in codes]:
            break
    return True


def fetch(url: str) -> Path:
    """Downloads a file, once for all processes, to where mmengine would.

    Args:
        url (str): http(s) address.

    Returns:
        Path: in torch's cache.

    Raises:
        InputError: it cannot be fetched.
    """
    path = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(url).path).name)
    if not is_main_process():
        barrier()
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), progress=sys.stderr.isatty())
    except URLError as error:
        raise InputError(
            f'checkpoint {url}: cannot be fetched ({error.reason}).'
        ) from error
    finally:  # the others wait, whatever happened
        if is_main_process():
            barrier()
    return path
