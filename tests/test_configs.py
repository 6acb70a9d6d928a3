"""Every leaf config: it is short, it builds, it predicts, and it has a loss."""

import re
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample
from vpi_files import draw_case, write_contract, write_image

import seam_seg
from seam_seg.apis import load_config
from seam_seg.config_lookup import config_path, get_config, project_root
from seam_seg.datasets import VPIDataset
from seam_seg.datasets.seeding import Sample
from seam_seg.engine import build_runner, carried_config, carry, differences, own_config
from seam_seg.errors import InputError

LEAVES = sorted((project_root() / 'configs').glob('[!_]*/*.py'))
LARGE = [path for path in LEAVES if '512x256' in path.stem]


def test_leaves_are_found():
    assert len(LEAVES) >= 30 and len(LARGE) >= 10


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_leaf(path):
    """Short, found by its name, and its data sets can be built."""
    assert len(path.read_text().splitlines()) <= 15
    cfg = seam_seg.get_config(path.stem)
    assert cfg.filename == str(path)
    # the schedule takes its length from train_cfg.max_iters
    assert all('T_max' not in schedule for schedule in cfg.param_scheduler)
    content = dict(meta=dict(seam_seg=carry(cfg)))
    own = own_config(content, 'x.pth', testing=True)  # of the package's parts alone
    assert own.origin.config == path.stem
    assert not list(differences(cfg, carried_config(content)))
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(loader):
            dataset = dict(
                cfg[loader].dataset, lazy_init=True, data_root=str(path.parent)
            )
            assert DATASETS.build(dataset).metainfo['classes'][3] == 'lumbar'


@pytest.mark.slow
@pytest.mark.parametrize('path', LARGE, ids=lambda path: path.stem)
def test_large_model(path):
    """Built as the file says, but for the weights that would have to be fetched.

    The small ones are in tests/models/test_every_model.py.
    """
    cfg = seam_seg.get_config(path.stem)
    cfg.model.backbone.init_cfg = None
    if 'style_size' in cfg.model:
        cfg.model.style_size = (64, 32)
        assert cfg.model.autoencoder.init_cfg.checkpoint == 'torchvision://vgg19'
        cfg.model.autoencoder.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    # small patches of the layout that the dataset gives: one grey channel
    images = torch.randint(0, 256, (2, 1, 64, 32), dtype=torch.uint8)
    samples = []
    for _ in images:
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, 64, 32)))
        sample.set_metainfo(dict(ori_shape=(160, 80), img_shape=(64, 32)))
        samples.append(sample)
    data = dict(inputs=list(images), data_samples=samples)
    batch = model.data_preprocessor(data, training=True)
    losses = model(**batch, mode='loss')
    total = sum(
        value.sum()
        for name, value in losses.items()
        if 'loss' in name and 'aux' not in name
    )
    total.backward()
    assert torch.isfinite(total) and total > 0
    model.eval()
    if 'styles' in model.state_dict():
        model.styles.random_(0, 256)  # which a training would bring
    with torch.no_grad():
        results = model.test_step(data)
        # what is exported, and what operations are counted of
        assert model._forward(batch['inputs']).shape[:2] == (2, 4)
    assert [r.pred_sem_seg.data.shape for r in results] == [(1, 160, 80)] * 2


def sizes_of(steps):
    """(height, width) of every rescaling in a pipeline, however deep."""
    for step in steps:
        if step['type'] == 'ResizeVPI':
            yield tuple(step['scale'][::-1])
        if step['type'] == 'CacheTransforms':
            yield from sizes_of(step['transforms'])


@pytest.mark.parametrize(
    'name', ['phantom_256x128', 'phantom_512x128', 'vpi_512x128', 'vpi_512x256']
)
def test_all_pipelines_rescale_to_the_size_of_the_patches(name):
    """Also where a base that inherits changes the size."""
    root = project_root() / 'configs' / '_base_' / 'datasets'
    cfg = Config.fromfile(str(root / f'{name}.py'))
    patches = cfg.train_dataloader.dataset.patches  # None: whole images
    wanted = tuple(patches.image_size if patches else cfg.image_size)
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    pipelines = [cfg[loader].dataset.pipeline for loader in loaders if cfg[loader]]
    assert len(pipelines) >= 2
    for pipeline in (*pipelines, cfg.tta_pipeline):
        assert list(sizes_of(pipeline)) == [wanted]


CACHED = {'LoadVPIImage', 'LoadVPIAnnotations', 'LoadVPIInstances', 'ResizeVPI'}


@pytest.mark.parametrize(
    'name', ['phantom_256x128', 'phantom_512x128', 'vpi_512x128', 'vpi_512x256']
)
def test_training_images_are_upright(name, tmp_path):
    """Left and right change places, and levels do not."""
    root = project_root() / 'configs' / '_base_' / 'datasets'
    cfg = Config.fromfile(str(root / f'{name}.py'))
    first, *others = cfg.train_dataloader.dataset.pipeline
    assert first['type'] == 'CacheTransforms'  # nothing that is drawn is in it
    assert {step['type'] for step in first['transforms']} <= CACHED
    # rib, thoracic, lumbar from the top, the rib on the left alone
    image, mask = draw_case(0, (512, 128))
    mask[:, 64:][mask[:, 64:] == 1] = 0
    write_contract(tmp_path, train=1, test=1)
    write_image(tmp_path / 'dataset/train/a0.png', np.maximum(image, 1))
    write_image(tmp_path / 'groundtruth/train/a0_bone_3.png', mask)
    options = dict(cfg.train_dataloader.dataset, data_root=str(tmp_path), type=VPIDataset)
    dataset = DATASETS.build(dict(options, split='trainval'))
    # A whole image is background beyond its edge; beyond that of a patch lies more of it.
    patches = options['patches'] is not None
    assert patches == any(step['type'] == 'RandomRotate' for step in others)
    sides, turned = set(), 0
    for position in range(60):
        found = dataset[Sample(position % len(dataset), position, 0)]
        label = found['data_samples'].gt_sem_seg.data[0].numpy()
        pixels = found['inputs'].numpy().max(axis=0)
        rows = [np.flatnonzero((label == bone).any(axis=1)) for bone in (1, 2, 3)]
        middles = [part.mean() for part in rows if len(part)]
        assert middles == sorted(middles)
        columns = np.flatnonzero((label == 1).any(axis=0))
        if len(columns):
            sides.add(columns.mean() > (label.shape[1] - 1) / 2)
        outside = pixels == 0
        turned += outside[[0, 0, -1, -1], [0, -1, 0, -1]].any()
        assert (label[outside] == 255).all() if patches else (label != 255).all()
    assert sides == {False, True} and turned > 10


def test_the_papers_settings():
    cfg = seam_seg.get_config('seam_r50-fpn_1xb12-80k_vpi-512x256')
    head = cfg.model.decode_head
    assert (head.type, head.lambda_, head.beta) == ('SEAMHead', 0.4, 0.5)
    assert 'normalization' not in head  # Eq. 4 as printed is the default
    assert cfg.train_dataloader.batch_size == 12
    assert cfg.train_dataloader.dataset.split == 'trainval'
    assert cfg.val_dataloader is None  # nothing is selected: the last is tested
    assert cfg.train_dataloader.dataset.patches == dict(
        image_size=(1024, 256), size=(512, 256), stride=(64, 256)
    )
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4)
    (schedule,) = cfg.param_scheduler
    assert (schedule.type, schedule.eta_min) == ('CosineAnnealingLR', 5e-6)


def rates_of(name, root, **options):
    """The learning rate of each iteration, by the runner's own schedule."""
    options = {key.replace('__', '.'): value for key, value in options.items()}
    cfg = load_config(name, options, str(root), str(root / 'work'))
    runner = build_runner(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    (schedule,) = runner.build_param_scheduler(runner.param_schedulers)
    (group,) = runner.optim_wrapper.param_groups
    rates = []
    for _ in range(runner.max_iters):
        rates.append(group['lr'])
        runner.optim_wrapper.optimizer.step()
        schedule.step()
    return rates


@pytest.mark.slow
def test_one_option_is_the_length_of_a_training(tmp_path):
    root = write_contract(tmp_path)
    name = 'seam-keymass-votes_r18-fpn_1xb4-200_finetune_vpi-512x128'
    given = rates_of(name, root, param_scheduler__0__T_max=200)
    assert rates_of(name, root) == given  # as when each config named it
    steps = np.arange(300) / 300
    expected = 1e-6 + (1e-4 - 1e-6) * (1 + np.cos(np.pi * steps)) / 2
    found = rates_of(name, root, train_cfg__max_iters=300)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found[-1] == pytest.approx(1e-6, rel=0.01)


@pytest.mark.parametrize(
    'form', ['r50_1xb12-80k_vpi-512x256', 'r18_1xb8-600_phantom-256x128']
)
def test_rows_differ_in_the_decode_head_only(form):
    """But for WaveCT, which puts a style transfer in front."""
    base = seam_seg.get_config(f'fpn_{form}')
    rows = [
        name
        for name in (path.stem for path in LEAVES)
        if name.replace('-fpn_', '_').endswith(f'_{form}')
    ]
    assert len(rows) >= 6
    names = set()
    for name in rows:
        row = seam_seg.get_config(name)
        if name.startswith('wavect'):
            assert row.model.decode_head == base.model.decode_head
            for key in ('style_size', 'autoencoder', 'num_reconstructed'):
                row.model.pop(key, None)
            row.model.type = base.model.type
            assert row.custom_hooks.pop() == dict(type='StyleImagesHook')
        row.model.decode_head = base.model.decode_head
        names.add(row.method_name)
        row.method_name = base.method_name
        assert row.to_dict() == base.to_dict(), name
    assert len(names) == len(rows)


def test_no_absolute_paths():
    for path in (project_root() / 'configs').rglob('*.py'):
        assert not re.search(r"['\"](/|~|[A-Z]:\\)", path.read_text()), path


@pytest.mark.parametrize(
    'form',
    [
        'seam_r50-fpn_1xb12-80k_vpi-512x256',
        'seam_r50-fpn_1xb12-80k_vpi-512x256.py',
        'seam/seam_r50-fpn_1xb12-80k_vpi-512x256',
        'configs/seam/seam_r50-fpn_1xb12-80k_vpi-512x256.py',
    ],
)
def test_names(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # from any folder
    assert config_path(form).stem == 'seam_r50-fpn_1xb12-80k_vpi-512x256'


def test_unknown_or_broken(tmp_path):
    with pytest.raises(InputError, match='config no-such: no config.*configs'):
        get_config('no-such')
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(\n')
    with pytest.raises(InputError, match='broken.py'):
        get_config(str(broken))


@pytest.mark.parametrize(
    'name,first',
    [
        ('seam_r50', 'seam_r50-fpn_1xb12-80k_vpi-512x256'),
        ('seam-keymas_r50', 'seam-keymass_r50-fpn_1xb12-80k_vpi-512x256'),
        ('swin', 'seam-keymass_swin-t-fpn_1xb12-80k_vpi-512x256-val'),
        ('unet_s5-d16_1xb12-80k_vpi', 'unet_s5-d16_1xb12-80k_vpi-512x256'),
        (
            'configs/fpn/fpn_r18_1xb8-600_phantom-128x256.py',
            'fpn_r18_1xb8-600_phantom-256x128',
        ),
    ],
)
def test_a_wrong_name_lists_the_closest(name, first):
    """In one line, and not all of them."""
    with pytest.raises(InputError) as error:
        config_path(name)
    message = str(error.value)
    named = [path.stem for path in LEAVES if re.search(rf'{path.stem}[,.]', message)]
    assert f'The closest: {first}' in message and 1 <= len(named) <= 5
    assert ('no such file' in message) == name.endswith('.py') and '\n' not in message


def test_modules_beside_a_config(tmp_path, monkeypatch):
    """From any folder, without a PYTHONPATH."""
    monkeypatch.setattr(sys, 'path', [*sys.path])
    (tmp_path / 'beside_it.py').write_text('')
    config = tmp_path / 'own.py'
    base = config_path('fpn_r18_1xb8-600_phantom-256x128')
    config.write_text(
        f"_base_ = {str(base)!r}\ncustom_imports = dict(imports=['beside_it'])\n"
    )
    cfg = seam_seg.get_config(str(config))
    assert 'beside_it' in sys.modules
    # which replaced the package's own; what is written of the config must import both
    assert cfg.custom_imports.imports == ['seam_seg', 'beside_it']


def test_the_package_is_among_the_imports(tmp_path):
    for line, imports in (
        ('', ['seam_seg']),
        ("custom_imports = dict(imports=['math', 'seam_seg'])", ['math', 'seam_seg']),
        ("custom_imports = dict(imports='math')", ['seam_seg', 'math']),
        ('custom_imports = None', ['seam_seg']),
    ):
        config = tmp_path / 'own.py'
        base = config_path('fpn_r18_1xb8-600_phantom-256x128')
        config.write_text(f'_base_ = {str(base)!r}\n{line}\n')
        assert seam_seg.get_config(str(config)).custom_imports.imports == imports, line


def test_another_module_of_that_name(tmp_path, monkeypatch):
    """Two projects with a module of one name: no row of one is that of the other."""
    monkeypatch.setattr(sys, 'path', [*sys.path])
    for project in ('a', 'b'):
        (tmp_path / project).mkdir()
        (tmp_path / project / 'twice_there.py').write_text('')
        (tmp_path / project / 'own.py').write_text(
            f'_base_ = {str(config_path("fpn_r18_1xb8-600_phantom-256x128"))!r}\n'
            "custom_imports = dict(imports=['seam_seg', 'twice_there'])\n"
        )
    seam_seg.get_config(str(tmp_path / 'a/own.py'))
    with pytest.raises(InputError, match='has that name already'):
        seam_seg.get_config(str(tmp_path / 'b/own.py'))
