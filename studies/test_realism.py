"""The numbers of what a phantom looks like, by hand, and those of `realistic`."""

import numpy as np
import pytest

from seam_seg.datasets.phantom import PRESETS, make_case
from seam_seg.evaluation.rows import read_rows
from studies.realism import measure


@pytest.fixture(scope='module')
def drawn():
    names = ('standard', 'realistic')
    return {
        name: [make_case([2024, i], PRESETS[name]) for i in range(4)] for name in names
    }


@pytest.fixture(scope='module')
def numbers(drawn):
    """Preset -> number -> its mean over the cases."""
    means = {}
    for name, cases in drawn.items():
        found = [measure.image_numbers(case.image) for case in cases]
        means[name] = {key: np.mean([n[key] for n in found]) for key in found[0]}
    return means


def test_numbers_by_hand():
    image = np.zeros((400, 200), np.uint8)
    image[50:350, 50:150] = 100
    image[50:350:2, 50:150] += 20
    found = measure.image_numbers(image)
    assert found['mean'] == pytest.approx(300 * 100 * 110 / (400 * 200))
    assert found['covers'] == 37.5
    assert found['rows'] == 20 and found['columns'] == 0
    assert found['texture across 1 row'] == pytest.approx(-1, abs=0.01)
    assert found['texture across 2 rows'] == pytest.approx(1, abs=0.01)
    assert found['texture along 5 px'] == pytest.approx(1, abs=0.01)
    quarters = [found[f'mean of the {name} quarter'] for name in measure.QUARTERS]
    assert quarters == pytest.approx([110] * 4, abs=0.3)


@pytest.mark.slow
def test_realistic_has_the_published_figures(drawn, numbers):
    cases, found = drawn['realistic'], numbers['realistic']
    shares = np.mean([np.bincount(c.mask.ravel(), minlength=4) for c in cases], axis=0)
    assert 100 * shares / shares.sum() == pytest.approx([78, 6, 7, 9], abs=1.5)
    assert 71 < found['mean'] < 79 and 80 < found['std'] < 88
    assert 54 < found['covers'] < 60
    assert abs(found['rows'] - 10) < 2 and abs(found['columns'] - 4) < 0.8


@pytest.mark.slow
def test_lines_that_were_scanned_in_turns_are_alike(numbers):
    """Every second row resembles a row more than the next one does, as in real scans."""
    lead = {
        name: found['texture across 2 rows'] - found['texture across 1 row']
        for name, found in numbers.items()
    }
    assert lead['realistic'] > 0.05 > lead['standard']


@pytest.mark.slow
def test_measured_families_are_rows(tmp_path, capsys):
    out = tmp_path / 'rows.csv'
    words = ['--families', 'easy', '--cases', '1', '--out', str(out)]
    assert measure.main(words) == 0
    rows = read_rows(out)
    assert set(rows['setting']) == {'easy'}
    shares = rows[rows['score'] == 'share'].set_index('class')['value']
    assert shares.sum() == pytest.approx(100, abs=1e-3) and shares['rib'] > 2
    assert {'mean', 'rows', 'texture across 2 rows'} < set(rows['score'])
    assert len(rows) == 4 + 13
