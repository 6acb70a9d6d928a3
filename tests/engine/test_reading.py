"""The reader: refuses whatever could run code, and says which files are damaged."""

import contextlib
import functools
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from stacks import UPSTREAM

from seam_seg.engine import read_checkpoint
from seam_seg.engine.reading import MAGIC
from seam_seg.errors import InputError
from seam_seg.weights import READY_URL, READY_WEIGHTS

CONTENT = dict(state_dict={'a': torch.arange(9.0)}, meta=dict(iter=3))


def text(value):
    """A string, in the second protocol of pickle, which torch writes."""
    content = value.encode()
    return b'X' + struct.pack('<I', len(content)) + content


def call(module, name, *arguments):
    """A pickle that calls a function."""
    words = b''.join(map(text, arguments))
    return f'c{module}\n{name}\n'.encode() + b'(' + words + b'tR.'


class Own:
    """A class of somebody's."""

    def __init__(self):
        self.x = 1


class Bomb:
    """Calls what it likes."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), 'w')


# What a file holds, given where its code would leave a trace.
REFUSED = {
    'os.system': lambda trace: call('os', 'system', f'touch {trace}'),
    'posix.system': lambda trace: call('posix', 'system', f'touch {trace}'),
    'sys.exit': lambda trace: call('sys', 'exit', 'x'),
    'builtins.eval': lambda trace: call('builtins', 'eval', f'open({str(trace)!r}, "w")'),
    'builtins.getattr': lambda trace: call('builtins', 'getattr', 'a', 'upper'),
    'numpy': lambda trace: pickle.dumps(np.array([1, 'a'], dtype=object), 2)[2:],
    'a class': lambda trace: pickle.dumps(Own(), 2)[2:],
    'pickle of today': lambda trace: pickle.dumps(Bomb(trace))[2:],
    'pickle of old': lambda trace: pickle.dumps(Bomb(trace), 0),
    'INST': lambda trace: f"(S'touch {trace}'\nios\nsystem\n.".encode(),
    'OBJ': lambda trace: b'(cos\nsystem\n' + text(f'touch {trace}') + b'o.',
    'EXT1': lambda trace: b'\x82\x01.',
    'NEWOBJ of no class': lambda trace: text('a') + b')\x81.',
    'REDUCE of no function': lambda trace: text('a') + b')R.',
    'BUILD of a dict': lambda trace: b'}}b.',
    'APPEND to a dict': lambda trace: b'}' + text('a') + b'a.',
    'SETITEM of a list': lambda trace: b']' + 2 * text('a') + b's.',
    'persistent word': lambda trace: text('a') + b'Q.',
    'persistent module': lambda trace: b'(' + 4 * text('module') + b'tQ.',
    'persistent line': lambda trace: b'Pa\n.',
}


def write_zip(path, codes, name='archive/data.pkl'):
    """A file as torch writes it, but for what is pickled in it."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr(name, b'\x80\x02' + codes)
        archive.writestr('archive/version', '3\n')
        archive.writestr('archive/byteorder', 'little')


def write_old(path, codes):
    """A file of torch's old format, but for what is pickled in it."""
    before = [MAGIC, 1001, dict(little_endian=True)]
    path.write_bytes(
        b''.join(pickle.dumps(part, 2) for part in before)
        + b'\x80\x02'
        + codes
        + pickle.dumps([], 2)
    )


def write_bare(path, codes):
    """A pickle and nothing else."""
    path.write_bytes(b'\x80\x02' + codes)


def write_tar(path, codes):
    """A file of the first format of torch."""
    with tarfile.open(path, 'w:') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            member = tarfile.TarInfo(name)
            member.size = len(codes)
            archive.addfile(member, io.BytesIO(codes))


FORMATS = dict(zip=write_zip, old=write_old, bare=write_bare, tar=write_tar)


@pytest.mark.parametrize('form', FORMATS)
@pytest.mark.parametrize('name', REFUSED)
@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_refuses_in_words(name, form, tmp_path):
    path, trace = tmp_path / 'x.pth', tmp_path / 'it_ran'
    FORMATS[form](path, REFUSED[name](trace))
    with pytest.raises(InputError, match='holds more than tensors') as error:
        read_checkpoint(path)
    assert '--trust-checkpoint' in str(error.value) and str(path) in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize('form', ['zip', 'old'])
@pytest.mark.parametrize('name', ['os.system', 'posix.system', 'builtins.eval'])
def test_what_is_refused_would_run(name, form, tmp_path):
    path, trace = tmp_path / 'x.pth', tmp_path / 'it_ran'
    FORMATS[form](path, REFUSED[name](trace))
    read_checkpoint(path, trust=True)
    assert trace.exists()


def saved(**options):
    """The bytes of a good checkpoint."""
    content = io.BytesIO()
    torch.save(CONTENT, content, **options)
    return content.getvalue()


def broken_zip(name):
    content = io.BytesIO()
    write_zip(content, call('os', 'system', 'x'), name)
    return content.getvalue()


OLD = saved(_use_new_zipfile_serialization=False)
DAMAGED = {
    'cut off': saved()[:-400],
    'half': saved()[: len(saved()) // 2],
    'a byte changed': broken_zip('archive/data.pkl').replace(b'system', b'sistem'),
    'no data.pkl': broken_zip('archive/other.pkl'),
    'old, cut off': OLD[: OLD.index(b'state_dict')],
    'old, without its numbers': OLD[:-20],
    'zeros': bytes(5000),
    'text': b'a checkpoint\n' * 100,
    'empty': b'',
    'a picture': b'\x89PNG\r\n\x1a\n' + bytes(range(256)),
    'start of a pickle': b'\x80\x02cos\nsystem\n',
}


@pytest.mark.parametrize('name', DAMAGED)
def test_names_damage(name, tmp_path):
    if UPSTREAM and name == 'old, without its numbers':
        pytest.skip('upstream stack: torch 2.1 says of it what it says of a refusal')
    path = tmp_path / 'x.pth'
    path.write_bytes(DAMAGED[name])
    with pytest.raises(InputError, match='x.pth: .*damaged or no checkpoint') as error:
        read_checkpoint(path)
    assert 'trust' not in str(error.value)


@pytest.mark.parametrize('options', [{}, dict(_use_new_zipfile_serialization=False)])
def test_reads_what_is_good(options, tmp_path):
    torch.save(CONTENT, tmp_path / 'x.pth', **options)
    for trust in (False, True):
        found = read_checkpoint(tmp_path / 'x.pth', trust)
        assert found['meta'] == CONTENT['meta']
        assert torch.equal(found['state_dict']['a'], CONTENT['state_dict']['a'])
    with pytest.raises(InputError, match='no.pth: no such file'):
        read_checkpoint(tmp_path / 'no.pth')
    with pytest.raises(InputError, match='cannot be read'):
        read_checkpoint(tmp_path)


class Watch:
    """Says what torch.load is while a file is read that asks for this class."""

    seen = []

    def __reduce__(self):
        return Watch.look, ()

    @staticmethod
    def look():
        Watch.seen.append(torch.load)


def test_leaves_torch_alone(tmp_path):
    before = torch.load
    assert before.__module__ == 'torch.serialization'
    torch.save(dict(x=Watch()), tmp_path / 'x.pth')
    with pytest.raises(InputError):
        read_checkpoint(tmp_path / 'x.pth')
    assert not Watch.seen and torch.load is before
    read_checkpoint(tmp_path / 'x.pth', trust=True)
    assert Watch.seen == [before] and torch.load is before


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'), reason='torch before 2.5'
)
def test_what_mmengine_allows_is_not_allowed(tmp_path):
    """Its list of safe globals has getattr; it is as it was afterwards."""
    torch.save(dict(x=getattr), tmp_path / 'x.pth')
    with torch.serialization.safe_globals([getattr, slice]):
        before = set(torch.serialization.get_safe_globals())
        assert torch.load(tmp_path / 'x.pth', weights_only=True)['x'] is getattr
        with pytest.raises(InputError, match='holds more than'):
            read_checkpoint(tmp_path / 'x.pth')
        assert set(torch.serialization.get_safe_globals()) == before


def test_threads(tmp_path):
    torch.save(dict(x=Bomb(tmp_path / 'it_ran')), tmp_path / 'bad.pth')
    torch.save(CONTENT, tmp_path / 'good.pth')

    def read(number):
        if number % 2:
            return read_checkpoint(tmp_path / 'good.pth')['meta']
        with pytest.raises(InputError, match='holds more than'):
            read_checkpoint(tmp_path / 'bad.pth')
        return CONTENT['meta']

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(40))) == 40 * [CONTENT['meta']]
    assert not (tmp_path / 'it_ran').exists()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a server of the files in a folder."""
    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f'http://127.0.0.1:{server.server_address[1]}'
        finally:
            server.shutdown()


def test_addresses(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    torch.save(CONTENT, tmp_path / 'good.pth')
    torch.save(dict(x=Bomb(tmp_path / 'it_ran')), tmp_path / 'bad.pth')
    with served(tmp_path) as root:
        assert read_checkpoint(f'{root}/good.pth')['meta'] == CONTENT['meta']
        with pytest.raises(InputError, match='bad.pth: holds more than'):
            read_checkpoint(f'{root}/bad.pth')
        with pytest.raises(InputError, match='no.pth: cannot be fetched'):
            read_checkpoint(f'{root}/no.pth')
    assert read_checkpoint(f'{root}/good.pth')['meta'] == CONTENT['meta']  # kept
    for address in ('s3://a/b.pth', 'open-mmlab://resnet50', 'file:///x.pth'):
        with pytest.raises(InputError, match='only files and http.* --trust-checkpoint'):
            read_checkpoint(address)
    assert not os.path.exists(tmp_path / 'it_ran')


def test_ready_weights():
    expected = torch.load(READY_WEIGHTS, weights_only=True)['state_dict']
    found = read_checkpoint(READY_URL)['state_dict']
    assert found.keys() == expected.keys()
    with pytest.raises(InputError, match='ships one checkpoint'):
        read_checkpoint('seam_seg://other')
