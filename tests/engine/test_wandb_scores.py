"""What goes to Weights & Biases, by a module that stands in for theirs.

tests/test_install.py has the real one.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config

from seam_seg.apis.runs import load_config, set_wandb
from seam_seg.engine import WandbScores, check_config
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


@pytest.fixture
def sent(monkeypatch):
    """Everything that is asked of the module, in its order."""
    calls = []

    def record(name):
        return lambda *words, **options: calls.append((name, *words, options))

    module = ModuleType('wandb')
    for name in ('init', 'log', 'watch', 'Image', 'finish'):
        setattr(module, name, record(name))
    module.config = SimpleNamespace(update=record('config'))
    module.run = SimpleNamespace(log_code=record('code'))
    monkeypatch.setitem(sys.modules, 'wandb', module)
    return calls


def test_numbers_by_iteration_and_the_config(sent, tmp_path):
    backend = WandbScores(str(tmp_path), dict(name='a'))
    assert not sent
    backend.add_config(Config(dict(a=1)))
    backend.add_scalars(dict(lr=0.1, loss=2.0), step=20, file_path='x.json')
    backend.add_scalar('R', 0.5, step=40)
    backend.add_image('val_patient', np.zeros((2, 2, 3), np.uint8), step=40)
    backend.add_graph(None, [])
    backend.close()
    assert sent == [
        ('init', dict(name='a', dir=str(tmp_path))),
        ('config', dict(a=1), dict(allow_val_change=True)),
        ('log', dict(lr=0.1, loss=2.0), dict(step=20)),
        ('log', dict(R=0.5), dict(step=40)),
        ('finish', {}),
    ]


def test_a_run_that_never_began_ends_nothing(sent, tmp_path):
    WandbScores(str(tmp_path)).close()
    assert not sent


def test_what_they_say_against_it(sent, tmp_path, monkeypatch):
    """Their errors are a person's doing; others are bugs, and show where."""
    refusal = type('UsageError', (Exception,), dict(__module__='wandb.errors'))

    def fail(error):
        def init(**options):
            raise error

        monkeypatch.setattr(sys.modules['wandb'], 'init', init)
        WandbScores(str(tmp_path)).add_scalar('a', 1)

    with pytest.raises(InputError, match='Biases: No key. Or set WANDB_MODE=offline'):
        fail(refusal('No\nkey.'))
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())


def test_one_option_adds_it(tmp_path, monkeypatch):
    cfg = load_config(DEMO, work_dir=str(tmp_path / 'second round'))
    set_wandb(cfg)
    local, added = cfg.visualizer.vis_backends
    assert local.type == 'LocalVisBackend' and added['type'] == 'WandbScores'
    assert added['init_kwargs']['name'] == 'second round'
    monkeypatch.setitem(sys.modules, 'wandb', None)  # as if it were not there
    with pytest.raises(InputError, match='WandbScores .*pip install wandb$'):
        check_config(cfg, ('train', 'val'))
    cfg.visualizer = None
    with pytest.raises(InputError, match='^--wandb: the config has no visualizer'):
        set_wandb(cfg)
