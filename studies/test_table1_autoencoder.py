"""The autoencoder of the small WaveCT is written when it has the wanted PSNR."""

import numpy as np
import pytest
import torch

from seam_seg.config_lookup import get_config, project_root
from seam_seg.datasets.phantom import write_phantom
from seam_seg.evaluation.rows import read_rows
from seam_seg.models import WaveletAutoencoder
from studies.table1 import psnr
from studies.table1 import tables as tables_of_study
from studies.table1 import train_autoencoder as trainer


@pytest.fixture(scope='module')
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'phantom'
    write_phantom(str(root), 3, 0, seed=7)
    return root


def test_psnr_by_hand():
    model = WaveletAutoencoder(4)
    model.forward = lambda image: image + 0.1
    images = torch.full((2, 1, 16, 8), 51, dtype=torch.uint8)
    assert trainer.mean_psnr(model, images) == pytest.approx(20, abs=1e-4)


def reached(printed):
    """The PSNR of each look; mmengine says something of its own beside them."""
    return [float(line.split()[2]) for line in printed.splitlines() if 'dB' in line]


@pytest.mark.slow
def test_is_written_at_the_wanted_psnr_alone(phantom, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trainer, 'EVERY', 4)
    out = tmp_path / 'autoencoder.pth'
    words = ['--data-root', str(phantom), '--held-out', '1', '--base-channels', '4']
    words += ['--iterations', '12', '--out', str(out)]
    assert trainer.main([*words, '--psnr', '90']) == 2
    printed = capsys.readouterr()
    assert 'less than --psnr 90' in printed.err and not out.exists()
    found = reached(printed.out)
    assert len(found) == 3 and found[-1] > found[0]  # it learns
    assert trainer.main([*words, '--psnr', str(np.floor(found[0]))]) == 0
    # and no longer than it must
    assert reached(capsys.readouterr().out) == pytest.approx(found[:1], abs=0.01)
    model = WaveletAutoencoder(4, checkpoint=str(out))
    model.init_weights()
    images = trainer.read_images(phantom, 1)
    assert trainer.mean_psnr(model, images) == pytest.approx(found[0], abs=0.01)


@pytest.mark.slow
def test_the_kept_one_is_that_of_the_row(phantom, monkeypatch):
    """It reconstructs phantoms that it has not seen."""
    monkeypatch.chdir(project_root())
    own = get_config('studies/table1/configs/wavect.py').model.autoencoder
    model = WaveletAutoencoder(own.base_channels, checkpoint=own.checkpoint)
    model.init_weights()
    assert trainer.mean_psnr(model, trainer.read_images(phantom, 3)) > 31


@pytest.mark.parametrize('prefix', ['', psnr.PREFIX])
def test_psnr_of_a_file_is_a_row(phantom, tmp_path, prefix, capsys):
    """Of an autoencoder's own file, and of a checkpoint of WaveCT."""
    model = WaveletAutoencoder(4)
    state = {prefix + key: value for key, value in model.state_dict().items()}
    if prefix:
        state = dict(state_dict={**state, 'backbone.weight': torch.zeros(1)}, meta={})
    torch.save(state, tmp_path / 'weights.pth')
    words = [str(tmp_path / 'weights.pth'), '--data-root', str(phantom)]
    words += ['--split', 'trainval', '--method', 'mine', '--images', '2']
    words += ['--out', str(tmp_path / 'results.csv')]
    assert psnr.main([*words, '--base-channels', '4']) == 0
    rows = read_rows(tmp_path / 'results.csv')
    images = trainer.read_images(phantom, 2)
    wanted = trainer.mean_psnr(model.eval(), images)
    assert dict(zip(rows['score'], rows['value'])) == pytest.approx(
        dict(PSNR=wanted, images=2), abs=1e-4
    )
    text = tables_of_study.reconstruction(tmp_path)
    assert f'| mine | 2 | {wanted:.2f} |' in text
    assert psnr.main(words) == 2  # other channels
    assert 'weights.pth: no weights of an autoencoder' in capsys.readouterr().err
