"""Bad input to every tool: one line that names it, a status, and nothing left behind."""

import os
import pickle
import re
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from vpi_files import READY_CONFIG, draw_case, write_contract, write_image

from seam_seg.weights import READY_WEIGHTS

DEMO = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
# A folder that nobody can write to, root included.
READ_ONLY = '/sys/seam_seg'


class Bench:
    """A folder in which bad input is made; its methods return arguments."""

    def __init__(self, path):
        self.path = path
        self.root = path / 'data'
        self.out = path / 'out'

    def file(self, name, content=b''):
        """Any file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def image(self, pixels=None, name='scan.png'):
        """An image file."""
        pixels = draw_case(0)[0] if pixels is None else np.asarray(pixels)
        write_image(self.path / 'images' / name, pixels)
        return str(self.path / 'images' / name)

    def pages(self, name, count):
        """A TIFF of several pages."""
        pages = [Image.fromarray(GOOD // 60 * i) for i in range(count)]
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pages[0].save(path, 'TIFF', save_all=True, append_images=pages[1:])
        return str(path)

    def cut(self, path, keep=0.5):
        """The file at a path, cut off."""
        content = Path(path).read_bytes()
        Path(path).write_bytes(content[: int(keep * len(content))])
        return str(path)

    def data(self, break_=None):
        """A data set, of which a function of its folder breaks something."""
        write_contract(self.root)
        if break_ is not None:
            break_(self.root)
        return str(self.root)

    def folders(self, break_=None):
        """Folders of images and masks for prepare_vpi."""
        for i in range(6):
            image, mask = draw_case(i)
            write_image(self.path / f'images/s{i}.png', image)
            write_image(self.path / f'masks/s{i}.png', mask)
        if break_ is not None:
            break_(self.path)
        return [str(self.path / 'images'), str(self.path / 'masks'), str(self.out)]

    def weights(self, change=None, name='x.pth', meta=None):
        """The ready weights as a checkpoint in float32, changed."""
        state = {
            key: value.float() if value.is_floating_point() else value
            for key, value in torch.load(READY_WEIGHTS, weights_only=True)[
                'state_dict'
            ].items()
        }
        if change is not None:
            change(state)
        path = self.path / name
        torch.save(dict(state_dict=state, meta=meta or {}), path)
        return str(path)


def png_of_size(width, height):
    """A PNG of 4 x 4 pixels that says it is of another size, its checksum right."""
    good = cv2.imencode('.png', np.zeros((4, 4), np.uint8))[1].tobytes()
    header = bytearray(good[12:29])  # type and content of IHDR
    header[4:12] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    return (
        good[:12]
        + bytes(header)
        + zlib.crc32(bytes(header)).to_bytes(4, 'big')
        + good[33:]
    )


class Bomb:
    """Runs code where it is unpickled."""

    def __init__(self, function=print, argument='the code in the checkpoint runs'):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


def rename(path):
    """A file or a folder by a name of bytes that are no UTF-8; the new path."""
    return str(Path(path).rename(Path(path).with_name(os.fsdecode(b'M\xfcller.png'))))


def predict(*arguments, out=None):
    return lambda b: [
        'predict',
        *(a(b) if callable(a) else a for a in arguments),
        '--out',
        out or str(b.out),
    ]


def measure(*arguments):
    return lambda b: [
        'measure',
        *(a(b) if callable(a) else a for a in arguments),
        '--out',
        str(b.out),
    ]


def own(checkpoint, config=READY_CONFIG):
    """A prediction of a good image with a checkpoint of one's own."""
    return lambda b: [
        'predict',
        b.image(),
        '--out',
        str(b.out),
        '--config',
        config,
        '--checkpoint',
        checkpoint(b),
    ]


def pixels(array, name='scan.png'):
    return predict(lambda b: b.image(array, name))


def check(break_, *more):
    return lambda b: ['check_dataset', b.data(break_), '--out', str(b.out), *more]


def prepare(break_=None, *more):
    # A seed with which each side of the split gets some of the six.
    return lambda b: ['prepare_vpi', *b.folders(break_), '--seed', '3', *more]


def folds(*more):
    return lambda b: ['make_folds', b.data(), '--one-scan-per-subject', *more]


def make(*more):
    return lambda b: [
        'make_phantom',
        str(b.out),
        '--num-train',
        '2',
        '--num-test',
        '1',
        '--workers',
        '1',
        *more,
    ]


def train(*options, break_=None, config=DEMO, more=()):
    """A training of one iteration."""
    return lambda b: [
        'train',
        config,
        '--data-root',
        b.data(break_),
        '--work-dir',
        str(b.out),
        *more,
        '--cfg-options',
        'train_cfg.max_iters=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        *options,
    ]


def score(checkpoint=lambda b: b.weights(), break_=None, more=()):
    return lambda b: [
        'test',
        READY_CONFIG,
        checkpoint(b),
        '--data-root',
        b.data(break_),
        '--work-dir',
        str(b.out),
        *more,
        '--cfg-options',
        'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False',
    ]


def bench(*more, configs=(DEMO,), results=None):
    def arguments(b):
        if results:
            b.file('out/' + results[0], results[1])
        return [
            'benchmark',
            *configs,
            '--data-root',
            b.data(),
            '--out',
            str(b.out),
            '--work-dir',
            str(b.path / 'work'),
            '--rounds',
            '1',
            *more,
        ]

    return arguments


def export(*more, name='x.onnx'):
    return lambda b: ['export_onnx', str(b.path / 'out' / name), *more]


def edit(name, text):
    """Replaces a text file of the data set."""
    return lambda root: (root / name).write_bytes(
        text if isinstance(text, bytes) else text.encode()
    )


def put(name, array):
    """Replaces a picture of the data set."""
    return lambda root: write_image(root / name, np.asarray(array))


def drop(name):
    return lambda root: (root / name).unlink()


MASK = 'groundtruth/train/a0_bone_3.png'
IMAGE = 'dataset/train/a0.png'
GOOD = draw_case(0)[0]
KINDS = ('images', 'masks')
YELLOW = np.zeros((64, 32, 3), np.uint8)
YELLOW[16:48, 8:24] = 0, 255, 255  # as OpenCV orders them

# What it is: the tool and its arguments, and words of the message.
CASES = {
    # images, to predict.py
    'image missing': (predict('no.png'), 'no.png: no such image'),
    'image empty': (
        predict(lambda b: b.file('scan.png')),
        'scan.png: the image is empty',
    ),
    'image of text': (
        predict(lambda b: b.file('scan.png', 'hello')),
        'scan.png: .*damaged',
    ),
    'PNG truncated': (predict(lambda b: b.cut(b.image())), 'scan.png: .*damaged'),
    'JPEG truncated': (
        predict(lambda b: b.cut(b.image(name='scan.jpg'))),
        'scan.jpg: .*damaged',
    ),
    'TIFF truncated': (
        predict(lambda b: b.cut(b.image(name='scan.tif'))),
        'scan.tif: .*damaged',
    ),
    'BMP truncated': (
        predict(lambda b: b.cut(b.image(name='scan.bmp'))),
        'scan.bmp: .*damaged',
    ),
    'image of three pages': (
        predict(lambda b: b.pages('scan.tif', 3)),
        'scan.tif: the file holds 3 images',
    ),
    'image of impossible size': (
        predict(lambda b: b.file('scan.png', png_of_size(50000, 50000))),
        'scan.png: .*damaged',
    ),
    'image zero-sized': (
        predict(lambda b: b.file('scan.png', png_of_size(0, 4))),
        'scan.png: .*damaged',
    ),
    'image of one pixel': (pixels([[7]]), 'scan.png: 1 x 1 pixels'),
    'image of one row': (pixels(np.ones((1, 500), np.uint8)), 'scan.png: 1 x 500 pixels'),
    'image 20,000 pixels long': (
        pixels(np.ones((20000, 64), np.uint8)),
        'scan.png: 20000 x 64 pixels',
    ),
    'image in colour': (
        pixels(np.stack([GOOD, GOOD, 0 * GOOD], 2)),
        'scan.png: a colour',
    ),
    'image transparent': (pixels(np.stack([GOOD] * 4, 2)), 'scan.png: .*transparent'),
    'image of NaN': (
        pixels(np.full((64, 32), np.nan, np.float32), 'scan.tif'),
        'scan.tif: .*NaN',
    ),
    'image of inf': (
        pixels(np.full((64, 32), np.inf, np.float64), 'scan.tif'),
        'scan.tif: .*float64',
    ),
    'image of negative levels': (
        pixels(-np.ones((64, 32), np.int32), 'scan.tif'),
        'scan.tif: grey levels from -1',
    ),
    'image unreadable': (predict('/proc/self/mem'), '/proc/self/mem'),
    'image a folder without images': (predict(lambda b: str(b.path)), 'holds no image'),
    'list not UTF-8': (
        predict(lambda b: b.file('list.txt', b'\xff\xfe\xff')),
        'list.txt: .*UTF-8',
    ),
    'list empty': (predict(lambda b: b.file('list.txt', '\n')), 'no image is listed'),
    'image named in Latin-1': (predict(lambda b: rename(b.image())), 'not UTF-8'),
    'folder named in Latin-1': (
        predict(lambda b: str(Path(rename(Path(b.image()).parent)).parent)),
        'not UTF-8',
    ),
    'two images of one name': (
        predict(
            lambda b: b.image(name='a/scan.png'), lambda b: b.image(name='b/scan.png')
        ),
        'two images are named scan',
    ),
    'results over the images': (
        lambda b: ['predict', b.image(), '--out', str(b.path / 'images')],
        'could overwrite',
    ),
    'predict to a file': (
        lambda b: ['predict', b.image(), '--out', b.file('out')],
        'out',
    ),
    'predict to a read-only folder': (
        predict(lambda b: b.image(), out=READ_ONLY),
        READ_ONLY,
    ),
    'device unknown': (predict(lambda b: b.image(), '--device', 'gpu7'), 'device gpu7'),
    'device absent': (
        predict(lambda b: b.image(), '--device', 'cuda:3'),
        'device cuda:3',
    ),
    'config without checkpoint': (
        predict(lambda b: b.image(), '--config', DEMO),
        '--config: give the --checkpoint',
    ),
    # checkpoints and models
    'checkpoint missing': (own(lambda b: 'no.pth'), 'no.pth: no such file'),
    'checkpoint empty': (own(lambda b: b.file('x.pth')), 'x.pth: .*damaged'),
    'checkpoint truncated': (own(lambda b: b.cut(b.weights())), 'x.pth: .*damaged'),
    'checkpoint of another format': (
        own(lambda b: b.file('x.pth', 'hello')),
        'x.pth: .*damaged',
    ),
    'checkpoint with code': (
        own(lambda b: b.file('x.pth', pickle.dumps(Bomb()))),
        'x.pth: holds more than',
    ),
    'checkpoint that calls the system': (
        own(
            lambda b: b.weights(
                meta=dict(x=Bomb(os.system, 'echo the code in the checkpoint runs'))
            )
        ),
        'x.pth: holds more than.*--trust-checkpoint',
    ),
    'publish: checkpoint that calls the system': (
        lambda b: [
            'publish_model',
            READY_CONFIG,
            b.weights(
                meta=dict(x=Bomb(os.system, 'echo the code in the checkpoint runs'))
            ),
            str(b.out / 'x.pth'),
        ],
        'x.pth: holds more than',
    ),
    'checkpoint of nothing': (
        own(lambda b: (torch.save({}, b.path / 'x.pth'), str(b.path / 'x.pth'))[1]),
        'x.pth: holds no weights',
    ),
    'checkpoint of another model': (
        own(lambda b: b.weights(), 'unet_s5-d16-small_1xb8-600_phantom-256x128'),
        'x.pth: belongs to another model',
    ),
    'checkpoint in part': (
        own(lambda b: b.weights(lambda s: s.pop('decode_head.conv_seg.bias'))),
        'x.pth: .*conv_seg.bias is missing',
    ),
    'checkpoint of other classes': (
        own(
            lambda b: b.weights(
                lambda s: s.update({'decode_head.conv_seg.bias': torch.zeros(7)})
            )
        ),
        'x.pth: .*shape',
    ),
    'checkpoint that names two classes': (
        own(
            lambda b: b.weights(
                meta=dict(dataset_meta=dict(classes=['a', 'b'], palette=[[0, 0, 0]] * 2))
            )
        ),
        'x.pth: .*the 4 classes',
    ),
    'checkpoint of NaN': (
        own(lambda b: b.weights(lambda s: s['decode_head.conv_seg.bias'].fill_(np.nan))),
        'x.pth: .*not finite',
    ),
    'test: checkpoint of NaN': (
        score(
            lambda b: b.weights(lambda s: s['decode_head.conv_seg.bias'].fill_(np.nan))
        ),
        'x.pth: .*not finite',
    ),
    'onnx missing': (predict(lambda b: b.image(), '--onnx', 'no.onnx'), 'no.onnx'),
    'onnx of text': (
        predict(lambda b: b.image(), '--onnx', lambda b: b.file('x.onnx', 'hello')),
        'x.onnx',
    ),
    'onnx with a config': (
        predict(lambda b: b.image(), '--onnx', 'x', '--device', 'cpu'),
        '--onnx',
    ),
    # data sets, to check_dataset.py
    'data root missing': (
        lambda b: ['check_dataset', str(b.path / 'no'), '--out', str(b.out)],
        'no: no such folder',
    ),
    'split missing': (check(drop('train.txt')), 'train.txt: no such split'),
    'split empty': (check(edit('test.txt', '\n')), 'test.txt: .*empty'),
    'split not text': (check(edit('train.txt', b'\xff\xfe\x00')), 'train.txt: .*UTF-8'),
    'case repeated': (check(edit('train.txt', 'a0\na1\na0\n')), 'a0 listed more'),
    'case in both splits': (check(edit('test.txt', 't0\na1\n')), 'a1 is in train.txt'),
    'case without image': (check(drop(IMAGE)), 'a0.png: no such image'),
    'case without mask': (check(drop(MASK)), 'a0_bone_3.png: no such mask'),
    'case of three pages': (
        check(lambda root: Bench(root).pages(IMAGE, 3)),
        'a0.png: the file holds 3 images',
    ),
    'mask of two pages': (
        check(lambda root: Bench(root).pages(MASK, 2)),
        'a0_bone_3.png: the file holds 2 images',
    ),
    'label out of range': (check(put(MASK, np.full((64, 32), 9, np.uint8))), 'label 9'),
    'label a fraction': (
        check(
            put('groundtruth/train/a0_bone_3.tif', np.full((64, 32), 0.5, np.float32)),
            '--seg-map-suffix',
            '_bone_3.tif',
        ),
        'a0_bone_3.tif: .*label 0.5',
    ),
    'mask of another size': (check(put(MASK, np.zeros((64, 30), np.uint8))), '64 x 30'),
    'mask in colour': (check(put(MASK, np.zeros((64, 32, 3), np.uint8))), 'an RGB mask'),
    'mask of 0 and 255': (
        check(put(MASK, 255 * np.eye(64, 32, dtype=np.uint8))),
        'a binary mask',
    ),
    'check to a read-only folder': (
        lambda b: ['check_dataset', b.data(), '--out', READ_ONLY],
        READ_ONLY,
    ),
    # prepare_vpi.py
    'prepare: no folder': (
        lambda b: ['prepare_vpi', str(b.path / 'no'), str(b.path), str(b.out)],
        'no: no such folder',
    ),
    'prepare: no mask': (prepare(lambda p: (p / 'masks/s1.png').unlink()), 's1'),
    'prepare: named in Latin-1': (
        prepare(lambda p: rename(p / 'images/s1.png')),
        'not UTF-8',
    ),
    **{
        f'prepare: named {name!r}': (
            prepare(lambda p, name=name: (p / 'images/s1.png').rename(p / name)),
            'images/.*space',
        )
        for name in ('images/s1 .png', 'images/ s1.png')
    },
    'prepare: mask damaged': (
        prepare(lambda p: (p / 'masks/s1.png').write_text('x')),
        's1.png',
    ),
    'prepare: image in colour': (
        prepare(
            lambda p: write_image(
                p / 'images/s1.png', np.stack([GOOD, GOOD, 0 * GOOD], 2)
            )
        ),
        's1.png: a colour',
    ),
    'prepare: bad pattern': (prepare(None, '--subject-pattern', '(s'), r'\(s'),
    'prepare: all to test': (prepare(None, '--test-fraction', '2'), 'fraction'),
    'prepare: window upside down': (prepare(None, '--window', '9', '3'), 'window'),
    'prepare: endless window': (prepare(None, '--window', '0', 'inf'), 'window'),
    'prepare: seed below zero': (prepare(None, '--seed', '-1'), '--seed -1'),
    'prepare: window of NaN': (prepare(None, '--window', 'nan', '3'), 'window'),
    'prepare: unknown class': (prepare(None, '--mask-classes', 'a', 'b'), 'class'),
    'prepare: mask in yellow': (
        prepare(lambda p: write_image(p / 'masks/s1.png', YELLOW)),
        r's1.png: the colour \(255, 255, 0\) on 25% of the mask, as at row 18, col',
    ),
    'prepare: mask of two pages': (
        prepare(lambda p: Bench(p).pages('masks/s1.png', 2)),
        's1.png: the file holds 2 images',
    ),
    'prepare: colours of no class': (
        prepare(None, '--colour-map', 'background=0,0,0', 'hip=1,2,3'),
        'hip=1,2,3',
    ),
    'prepare: numbers and colours': (
        prepare(
            None,
            *('--mask-classes', 'background', 'rib', 'thoracic', 'lumbar'),
            *('--colour-map', 'background=0,0,0', 'rib=255,255,0'),
        ),
        'Leave one out',
    ),
    'prepare: over other files': (
        prepare(lambda p: write_contract(p / 'out')),
        'overwrite',
    ),
    'prepare: one empty side': (
        prepare(None, '--seed', '0'),
        'none of the 6 subjects falls to test .*--seed 3',
    ),
    'prepare: two scans of some': (
        prepare(lambda p: [write_image(p / f'{kind}/s1_b.png', GOOD) for kind in KINDS]),
        r"--subject-pattern '\^\(s\\d\+\)' .*--one-scan-per-subject",
    ),
    'prepare: no split to keep': (prepare(None, '--keep-split'), 'holds no data set'),
    # make_phantom.py
    'phantom: unknown preset': (make('--preset', 'harder'), 'harder'),
    'phantom: fewer than no cases': (make('--num-train', '-3'), 'num_train'),
    'phantom: no case': (make('--num-train', '0', '--num-test', '0'), 'at least one'),
    'phantom: seed below zero': (make('--seed', '-1'), 'seed'),
    'phantom: seed a word': (make('--seed', 'x'), '--seed'),
    'phantom: no worker': (make('--workers', '0'), 'workers'),
    'phantom: over other data': (
        lambda b: ['make_phantom', b.data(), '--overwrite'],
        'no phantom',
    ),
    'phantom: to a file': (lambda b: ['make_phantom', b.file('out')], 'out is a file'),
    'phantom: read-only': (lambda b: ['make_phantom', READ_ONLY], READ_ONLY),
    # train.py
    'config unknown': (train(config='no_such_config'), 'no_such_config'),
    'config with a syntax error': (
        lambda b: ['train', b.file('c.py', 'model = dict('), '--work-dir', str(b.out)],
        'c.py: cannot be read',
    ),
    'config of another kind': (
        lambda b: ['train', b.file('c.py', 'x = 1'), '--work-dir', str(b.out)],
        'c.py',
    ),
    'option of an unknown name': (train('optim_wraper.optimizer.lr=1'), 'optim_wraper'),
    'option of an unknown argument': (train('model.decode_head.betta=1'), 'betta'),
    'option out of range': (train('model.decode_head.beta=-1'), 'beta'),
    'option of an unknown value': (
        train('model.decode_head.normalization=mass'),
        'normalization',
    ),
    'option of an unknown class': (train('model.decode_head.type=SEAMHat'), 'SEAMHat'),
    'option of an unknown optimizer': (
        train('optim_wrapper.optimizer.type=Adem'),
        'optim_wrapper cannot be built .*Adem',
    ),
    'option of an unknown hook': (
        train('default_hooks.timer.type=IterTimer'),
        'cannot be built .*IterTimer is not in',
    ),
    'workers that persist without any': (
        train('train_dataloader.persistent_workers=True'),
        'train_dataloader cannot be built .*persistent_workers',
    ),
    'option into a number': (train('train_cfg.max_iters.x=1'), 'max_iters'),
    'no iterations': (train('train_cfg.max_iters=-5'), 'max_iters'),
    'iterations a word': (train('train_cfg.max_iters=many'), 'max_iters'),
    'validation never': (train('train_cfg.val_interval=0'), 'val_interval=0'),
    'validation without data': (train('val_dataloader=None'), 'val_dataloader'),
    'seed below zero': (train('randomness.seed=-1'), 'seed=-1'),
    'schedule a number': (train('train_cfg=5'), 'train_cfg=5'),
    'model a number': (train('model=5'), 'model=5'),
    'batch of none': (train('train_dataloader.batch_size=0'), 'batch_size'),
    'patch larger than the image': (
        train('train_dataloader.dataset.patches.size=(9999,9)'),
        'patches',
    ),
    'train: image damaged': (train(break_=edit(IMAGE, 'x')), 'a0.png'),
    'train: label out of range': (
        train(break_=put(MASK, np.full((64, 32), 9, np.uint8)), more=()),
        'label 9',
    ),
    'train: image of one pixel': (train(break_=put(IMAGE, [[7]])), 'a0.png'),
    'train: no split': (train(break_=drop('train.txt')), 'train.txt: no such split'),
    'train: missing case': (train(break_=edit('train.txt', 'a0\na2\nb7\n')), 'b7'),
    'train: data root a file': (
        lambda b: [
            'train',
            DEMO,
            '--data-root',
            b.file('data'),
            '--work-dir',
            str(b.out),
        ],
        'data: no such folder',
    ),
    'train: validation on what it trains on': (
        train('train_dataloader.dataset.split=trainval'),
        'validation images are trained on, such as .*png, or.*val_dataloader=None',
    ),
    'train: load_from missing': (train('load_from=no.pth'), 'no.pth'),
    'train: mixed precision on a CPU': (train(more=['--amp']), '--amp'),
    'train: no launcher': (train(more=['--launcher', 'pytorch']), 'torchrun'),
    'train: to a file': (
        lambda b: ['train', DEMO, '--data-root', b.data(), '--work-dir', b.file('out')],
        'out',
    ),
    'train: read-only': (
        lambda b: ['train', DEMO, '--data-root', b.data(), '--work-dir', READ_ONLY],
        READ_ONLY,
    ),
    # test.py
    'test: checkpoint missing': (score(lambda b: 'no.pth'), 'no.pth: no such file'),
    'test: mask of another size': (
        score(break_=put('groundtruth/test/t0_bone_3.png', np.zeros((64, 30), np.uint8))),
        't0_bone_3.png: .*64 x 30',
    ),
    'test: labels to a file': (
        lambda b: score(more=['--out', b.file('labels')])(b),
        'labels',
    ),
    # benchmark.py
    'benchmark: unknown config': (bench(configs=('fpm',)), 'fpm'),
    'benchmark: seed a word': (bench('--seeds', 'one'), '--seeds'),
    'benchmark: more GPUs than there are': (bench('--gpus', '64'), '--gpus 64'),
    'benchmark: fewer GPUs than none': (bench('--gpus', '-1'), '--gpus -1'),
    'benchmark: no rounds': (bench('--rounds', '0'), 'rounds'),
    'benchmark: another model': (
        bench('--cfg-options', 'model.decode_head.channels=8'),
        'a config.',
    ),
    'benchmark: unknown option': (
        bench('--cfg-options', 'train_cgf.max_iters=1'),
        'train_cgf',
    ),
    'benchmark: a config twice': (bench(configs=(DEMO, DEMO)), 'twice'),
    'benchmark: no data': (
        lambda b: ['benchmark', DEMO, '--data-root', 'no', '--out', str(b.out)],
        'no: no such folder',
    ),
    'benchmark: validation cases of folds': (
        bench('--folds', 'no', '--split', 'val'),
        'leave out --split val',
    ),
    'benchmark: no folds': (bench('--folds', 'no'), 'holds no folds'),
    'benchmark: half a file of rows': (
        bench('--seeds', '0', results=('results.csv', 'study,setting,me')),
        'results.csv: no file of rows',
    ),
    'folds: more than subjects': (folds('--folds', '99'), '99'),
    'folds: seed below zero': (folds('--folds', '2', '--seed', '-1'), '--seed -1'),
    'folds: one': (folds('--folds', '1'), 'folds'),
    'folds: one empty': (folds('--folds', '6'), r'none of .* falls to fold \d'),
    'folds: whose cases': (
        lambda b: ['make_folds', b.data(), '--folds', '2'],
        '--subject-pattern .*--one-scan-per-subject',
    ),
    'folds: whose cases, said twice': (
        folds('--folds', '2', '--subject-pattern', '(a)'),
        'exclude each other',
    ),
    'folds: half a table of cases': (
        lambda b: ['make_folds', b.data(edit('prepared.csv', 'name\na0\n'))],
        'prepared.csv: no table',
    ),
    # measure.py
    'mask to measure missing': (measure('no.png'), 'no.png: no such mask'),
    'mask to measure in colour': (
        measure(lambda b: b.image(np.stack([GOOD] * 3, 2))),
        'scan.png: an RGB mask',
    ),
    'mask to measure is the image': (
        measure(lambda b: b.image()),
        'scan.png: the mask has label',
    ),
    'folder to measure without masks': (measure(lambda b: str(b.path)), 'holds no mask'),
    'measure: no such folder of images': (
        measure(lambda b: b.image(0 * GOOD), '--images', 'no'),
        '--images no: no such folder',
    ),
    'measure: image of another size': (
        measure(
            lambda b: b.image(0 * GOOD),
            '--images',
            lambda b: str(Path(b.image(GOOD[:-1], 'other/scan.png')).parent),
        ),
        'other/scan.png: is 63 x 32 .*same size',
    ),
    'measure: map of bones in colour': (
        measure(
            lambda b: b.image(0 * GOOD),
            '--instances',
            lambda b: str(Path(b.image(np.stack([GOOD] * 3, 2), 'map/scan.png')).parent),
        ),
        'map/scan.png: .*no map of instances',
    ),
    'measure: confidence of 16 bits': (
        measure(
            lambda b: b.image(0 * GOOD),
            '--confidence',
            lambda b: str(Path(b.image(np.uint16(GOOD), 'map/scan.png')).parent),
        ),
        'map/scan.png: .*no map of confidence',
    ),
    'measure: spacing zero': (
        measure(lambda b: b.image(0 * GOOD), '--spacing', '0', '1'),
        'spacing must be two positive',
    ),
    'measure: spacing in two units': (
        measure(lambda b: b.image(0 * GOOD), '--spacing', '0.02', '0.5'),
        'times as high as wide',
    ),
    'measure: cutoffs fall': (
        measure(lambda b: b.image(0 * GOOD), '--severity', '40', '25', '10'),
        'severity must be rising',
    ),
    'measure: levels shifted away': (
        measure(lambda b: b.image(0 * GOOD), '--level-shift', '30'),
        'level_shift must be',
    ),
    'measure to a file': (
        lambda b: ['measure', b.image(0 * GOOD), '--out', b.file('out')],
        'out',
    ),
    # export_onnx.py
    'export: no phantoms': (export('--phantoms', '0'), 'phantoms: at least 1'),
    'export: to a file': (lambda b: ['export_onnx', b.file('out') + '/x.onnx'], 'out'),
    'export: no network for it': (
        lambda b: [
            'export_onnx',
            str(b.path / 'out/x.onnx'),
            '--config',
            READY_CONFIG,
            '--checkpoint',
            b.weights(lambda s: s.pop('decode_head.conv_seg.bias')),
        ],
        'conv_seg.bias is missing',
    ),
    'export: checkpoint missing': (
        export('--config', DEMO, '--checkpoint', 'no.pth'),
        'no.pth: no such file',
    ),
}


def files_in(folder):
    """Every file, but for what a run logs and what check_dataset reports."""
    return {
        path: path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
        and not re.search(
            r'out/(\d+_\d+/.*|[^/]+\.py|report\.json|contact_sheet\.png)$', str(path)
        )
    }


@pytest.mark.parametrize('name', CASES)
def test_is_refused_in_words(name, tool, tmp_path, capfd, monkeypatch):
    arguments, match = CASES[name]
    monkeypatch.chdir(tmp_path)
    program, *argv = arguments(Bench(tmp_path))
    before = files_in(tmp_path)
    try:
        status = tool(program)(argv)
    except SystemExit as stop:  # of argparse
        status = stop.code
    said = capfd.readouterr()
    # check_dataset's own business is to list errors; decoders have lines of their own
    lines = [
        line
        for text in said
        for line in text.splitlines()
        if re.match(r'(\S+: )?error: ', line)
    ]
    assert status in (1, 2), said
    if program == 'check_dataset':
        lines = [line for line in lines if re.search(match, line)]
    assert len(lines) == 1 and re.search(match, lines[0]), said
    assert 'Traceback' not in said.out + said.err
    # and nothing after it: the message is one line
    assert said.err.rstrip().endswith(lines[0]) or program == 'check_dataset'
    assert 'the code in the checkpoint runs' not in said.err + said.out
    assert files_in(tmp_path) == before
