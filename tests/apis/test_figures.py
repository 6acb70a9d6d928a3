"""Figures: the centers they show are right, and the cases are those of the rule."""

import cv2
import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from seam_seg.apis import init_model
from seam_seg.apis.figures import choose_cases, read_keys
from seam_seg.config_lookup import get_config
from seam_seg.errors import InputError

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'


def save_random(config, path):
    cfg = get_config(config)
    cfg.model.backbone.init_cfg = None
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta={}), path)
    return init_model(config, path, 'cpu')


def test_centers_against_loops(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (512, 128)).astype(np.uint8)
    mask = np.zeros_like(image)
    mask[40:80, 20:50] = 2
    mask[40:80, 80:110] = 2
    mask[300:360, 30:100] = 3
    for name, pixels in (('image', image), ('mask', mask)):
        cv2.imwrite(str(tmp_path / f'{name}.png'), pixels)
    model = save_random(DEMO, tmp_path / 'model.pth')
    keys = read_keys(model, tmp_path / 'image.png', tmp_path / 'mask.png')
    assert keys.k_prime.shape == (4, 128, 32)
    assert sorted(keys.classes) == [2, 2, 3]
    boxes = {2: [(40, 80, 20, 50), (40, 80, 80, 110)], 3: [(300, 360, 30, 100)]}
    for label, center, estimate in zip(keys.classes, keys.centers, keys.estimates):
        middles = [
            ((top + bottom) / 2 / 512, (left + right) / 2 / 128)
            for top, bottom, left, right in boxes[label]
        ]
        mine = min(range(len(middles)), key=lambda i: abs(middles[i][1] - center[1]))
        assert center == pytest.approx(middles[mine], abs=1e-2)
        total, moment = 0.0, np.zeros(2)
        for row in range(128):
            for col in range(32):

                def distance(box, row=row, col=col):
                    top, bottom, left, right = np.array(box) // 4
                    down = max(top - row, row - (bottom - 1), 0)
                    across = max(left - col, col - (right - 1), 0)
                    return np.hypot(down, across)

                nearest = [distance(box) for box in boxes[label]]
                if nearest[mine] == min(nearest):
                    weight = keys.k_prime[label, row, col]
                    total += weight
                    moment += weight * np.array([(row + 0.5) / 128, (col + 0.5) / 32])
        # ties along the middle between two bones go to either
        assert estimate == pytest.approx(moment / total, abs=0.01)


def test_draws_keys(tool, phantom, tmp_path, capsys):
    name = (phantom / 'test.txt').read_text().split()[0]
    pair = [
        str(phantom / f'dataset/test/{name}.png'),
        str(phantom / f'groundtruth/test/{name}_bone_3.png'),
    ]
    save_random(DEMO, tmp_path / 'model.pth')
    own = ['--config', DEMO, '--checkpoint', str(tmp_path / 'model.pth')]
    assert tool('draw_keys')([*pair, str(tmp_path / 'keys.png'), *own]) == 0
    picture = cv2.imread(str(tmp_path / 'keys.png'))
    assert picture.shape[0] > 700 and picture.std() > 30
    for other in ('fpn_r18', 'danet_r18-fpn'):
        config, weights = f'{other}_1xb8-600_phantom-256x128', tmp_path / f'{other}.pth'
        save_random(config, weights)
        assert (
            tool('draw_keys')(
                [
                    *pair,
                    str(tmp_path / 'no.png'),
                    '--config',
                    config,
                    '--checkpoint',
                    str(weights),
                ]
            )
            == 2
        )
        assert 'has no key' in capsys.readouterr().err
    assert tool('draw_keys')([pair[0], str(tmp_path / 'none.png'), 'x.png', *own]) == 2
    assert 'none.png' in capsys.readouterr().err


def test_cases_by_rule():
    def run(seed, scores):
        return dict(
            seed=seed,
            per_image={
                name: {f'Dice.{bone}': score for bone in ('lumbar', 'thoracic', 'rib')}
                for name, score in zip('abcd', scores)
            },
        )

    # means over the seeds: 50, 80, 70, 60
    runs = [run(0, [40, 90, 70, 60]), run(1, [60, 70, 70, 60])]
    assert choose_cases(runs) == dict(best='b', median='d', worst='a')


def test_a_case_of_other_data(phantom):
    from seam_seg.apis.figures import draw_methods

    with pytest.raises(InputError, match='nobody: not in the test split'):
        draw_methods([], dict(best='nobody'), str(phantom))
