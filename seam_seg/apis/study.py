"""Trains variants of a model over seeds, and reports what they differ in.

Each finished run is one JSON file, written at its end, so that a study can be stopped and
started again: finished runs are not repeated, and the one that was cut off resumes.
"""

import csv
import json
import os
import queue
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from scipy import stats

from ..atomic import write_json, write_whole
from ..config_lookup import project_root
from ..engine import last_checkpoint
from ..errors import InputError
from ..models.decode_heads import SEAMHead
from ..models.seam import attentive_weights
from ..version import __version__
from .identity import code_version, identity
from .inference import load_weights
from .train_test import load_config

BONES = ('lumbar', 'thoracic', 'rib')
IDENTITY = 'identity.txt'  # in the work dir of a run


def flatten(options: dict, prefix: str = '') -> Dict[str, object]:
    """``{'a': {'b': 1}}`` with dotted keys, as in ``--cfg-options``: ``{'a.b': 1}``."""
    flat: Dict[str, object] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f'{prefix}{key}.'))
        else:
            flat[f'{prefix}{key}'] = value
    return flat


def probe(cfg: Config, checkpoint: Path, patches: int = 16) -> Dict[str, Optional[float]]:
    """Looks into a trained attention head, on training patches without augmentation.

    Args:
        cfg (Config): of the training.
        checkpoint (Path): its weights.
        patches (int): how many patches, evenly spread over the training split.

    Returns:
        dict[str, float | None]: of a SEAM head, ``largest_weight``: mean over patches and
        channels of the largest of the N weights of a' (1 means saturated, 1 / N
        uniform); ``gradient_ratio``: beta |grad L_reg| / |grad L_cls| on the key, by the
        norms over all patches; None where the head has no such part. Of the other
        attention heads, the mean of their ``gates`` over the patches; of other heads,
        nothing.
    """
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    load_weights(model, checkpoint)
    model.eval()
    head = model.decode_head
    dataset_cfg = cfg.train_dataloader.dataset.copy()
    dataset_cfg.pipeline = [
        step for step in dataset_cfg.pipeline if not step['type'].startswith('Random')
    ]
    dataset = DATASETS.build(dataset_cfg)
    indices = np.linspace(0, len(dataset) - 1, patches).round().astype(int)
    batch = model.data_preprocessor(
        pseudo_collate([dataset[int(i)] for i in indices]), training=True
    )
    if hasattr(head, 'gates'):
        with torch.no_grad():  # one by one: attention has the square of the positions
            found = [
                head.gates(model.extract_feat(image[None])) for image in batch['inputs']
            ]
        return {key: float(np.mean([gates[key] for gates in found])) for key in found[0]}
    if not isinstance(head, SEAMHead):
        return {}
    label = torch.stack([s.gt_sem_seg.data[0] for s in batch['data_samples']])
    with torch.no_grad():
        v = head.merge(model.extract_feat(batch['inputs']))
        largest = None
        if head.seam is not None:
            k_prime = head.seam.varphi(v).softmax(dim=1)
            largest = (
                attentive_weights(head.seam.phi(v), k_prime, head.seam.normalization)
                .amax(2)
                .mean()
                .item()
            )
        k = (head.varphi if head.seam is None else head.seam.varphi)(v)
    ratio = None
    if head.loss_center is not None:
        k.requires_grad_()
        k_full = torch.nn.functional.interpolate(
            k, label.shape[1:], mode='bilinear', align_corners=False
        )
        norms = [
            torch.autograd.grad(loss, k)[0].norm().item()
            for loss in (
                head.beta * head.loss_center(k, label),
                head.loss_key(k_full, label, ignore_index=head.ignore_index),
            )
        ]
        ratio = norms[0] / norms[1]
    return dict(largest_weight=largest, gradient_ratio=ratio)


class Run(NamedTuple):
    """One training of a study.

    Attributes:
        variant (str): its name in the tables.
        seed (int): of the training.
        config (str): name or path.
        options (dict): nested overrides of the config.
        checkpoint (Path | None): weights that are scored as they are; then nothing is
            trained.
        fold (int | None): of a cross-validation; what it means is in the options.
    """

    variant: str
    seed: int
    config: str
    options: dict
    checkpoint: Optional[Path] = None
    fold: Optional[int] = None

    @property
    def name(self) -> str:
        """What its files are called."""
        fold = '' if self.fold is None else f'_fold{self.fold}'
        return f'{self.variant}{fold}_seed{self.seed}'


def read_scores(folder: Path) -> Dict[str, dict]:
    """``scores`` (means) and ``per_image`` from the files that tools/test.py writes."""
    scores = json.loads((folder / 'dice_jaccard.json').read_text())
    with (folder / 'dice_jaccard.csv').open(newline='') as file:
        per_image = {row['name']: row for row in csv.DictReader(file)}
    return dict(
        scores={key: scores[key] for key in scores if key not in ('unit', 'images')},
        per_image={
            name: {
                key: float(row[key]) for key in row if '.' in key and row[key]
            }  # <score>.<class>
            for name, row in per_image.items()
        },
    )


def train_and_score(
    run: Run,
    data_root: str,
    work_dir: Path,
    split: str = 'val',
    gpu: Optional[int] = None,
    held_out: Optional[str] = None,
) -> Tuple[dict, Path]:
    """Trains a model and scores its last checkpoint.

    The tools run in processes of their own, so that no run sees what another left.

    Args:
        run (Run): what is trained.
        data_root (str): data set.
        work_dir (Path): checkpoints and logs; an interrupted training resumes there.
        split (str): that is scored. Default: ``'val'``.
        gpu (int, optional): the only one that the tools see. Default: what they find.
        held_out (str, optional): another data set, whose test split is scored too.

    Returns:
        tuple[dict, Path]: scores (means and per image; once more under ``held_out``),
        seconds and the command; and the checkpoint.

    Raises:
        InputError: one of the tools failed; its log is named.
    """
    options = [f'{key}={value}' for key, value in flatten(run.options).items()]
    options.append(f'randomness.seed={run.seed}')
    versions = dict(  # of what trains, whatever is committed meanwhile
        seam_seg=__version__, code=code_version(), torch=torch.__version__
    )
    work_dir.mkdir(parents=True, exist_ok=True)
    seen = {} if gpu is None else dict(CUDA_VISIBLE_DEVICES=str(gpu))
    start = time.time()

    def call(tool, *words):
        with (work_dir / 'log.txt').open('a') as log:
            status = subprocess.run(
                [sys.executable, str(project_root() / tool), *words],
                stdout=log,
                stderr=log,
                check=False,
                env={**os.environ, **seen},
            ).returncode
        if status:
            raise InputError(
                f'{tool} {" ".join(words)}: ended with status {status}; see '
                f'{work_dir / "log.txt"}.'
            )
        command = f'{tool} {" ".join(words)}'.replace(str(work_dir), 'WORK_DIR')
        return command.replace(f'{project_root()}/', '')

    def score(root, part, folder):
        tested = call(
            'tools/test.py',
            run.config,
            str(checkpoint),
            '--data-root',
            str(root),
            '--work-dir',
            str(folder),
            '--cfg-options',
            *options,
            f'test_dataloader.dataset.split={part}',
        )
        return tested, read_scores(folder / 'test')

    checkpoint, command = run.checkpoint, None
    if checkpoint is None:
        command = call(
            'tools/train.py',
            run.config,
            '--data-root',
            str(data_root),
            '--work-dir',
            str(work_dir),
            '--resume',
            '--cfg-options',
            *options,
        )
        checkpoint = last_checkpoint(work_dir)
    seconds = time.time() - start
    tested, scores = score(data_root, split, work_dir)
    if held_out is not None:
        scores['held_out'] = score(held_out, 'test', work_dir / 'held_out')[1]
    return dict(
        variant=run.variant,
        config=run.config,
        options=run.options,
        seed=run.seed,
        fold=run.fold,
        split=split,
        command=command or tested,
        versions=versions,
        seconds_of_this_start=round(seconds, 1),
        **scores,
    ), checkpoint


def visible_gpus(count: int) -> List[str]:
    """The first GPUs of those that this process may use, as CUDA_VISIBLE_DEVICES has it.

    Args:
        count (int): how many.

    Raises:
        InputError: there are fewer.
    """
    if not 0 <= count <= torch.cuda.device_count():
        raise InputError(
            f'--gpus {count}: must be 0 to {torch.cuda.device_count()}, the '
            'number of GPUs here. With 0, one run follows the other.'
        )
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    return named.split(',')[:count] if named else [str(i) for i in range(count)]


def check_identity(found: Optional[str], expected: str, path: Path) -> None:
    """Refuses what is there, but comes from something else.

    Raises:
        InputError: the identities differ; the message names the path.
    """
    if found != expected:
        raise InputError(
            f'{path}: comes from other data, another config or other weights to start '
            'from than this study. Give each study its own --out and --work-dir, or '
            'delete it.'
        )


def run_study(
    runs: Sequence[Run],
    data_root: str,
    out: Path,
    work_dir: Path,
    split: str = 'val',
    look_inside: bool = False,
    gpus: int = 0,
    held_out: Optional[str] = None,
) -> Iterator[None]:
    """Does every run that has no result yet.

    A run that fails is reported at the end, when all others are done.

    Args:
        runs (Sequence[Run]): in the order in which they are done.
        data_root (str): data set.
        out (Path): folder of the results, ``VARIANT_seedN.json`` or
            ``VARIANT_foldI_seedN.json``.
        work_dir (Path): folder of the work dirs.
        split (str): that is scored. Default: ``'val'``.
        look_inside (bool): adds what :func:`probe` finds. Default: False.
        gpus (int): runs at a time, one on each GPU. Default: 0, one run at a time.
        held_out (str, optional): another data set, whose test split is scored too.

    Yields:
        None: after each run, when its result is on disk.

    Raises:
        InputError: before any run: a config cannot be used, or a result or a work dir
            is damaged or comes from something else; after the last one: runs failed.
    """
    free: queue.SimpleQueue = queue.SimpleQueue()
    for gpu in visible_gpus(gpus) or [None]:
        free.put(gpu)
    todo, configs, identities = [], {}, {}
    for run in runs:
        cfg = configs[run.name] = load_config(
            run.config,
            {**flatten(run.options), 'test_dataloader.dataset.split': split},
            data_root,
        )
        identities[run.name] = identity(cfg, run.seed, run.checkpoint, held_out)
        path, begun = out / f'{run.name}.json', work_dir / run.name / IDENTITY
        if path.exists():
            check_identity(read_result(path).get('identity'), identities[run.name], path)
            continue
        if last_checkpoint(begun.parent) is not None:
            check_identity(
                begun.read_text() if begun.exists() else None,
                identities[run.name],
                begun.parent,
            )
        todo.append(run)
    out.mkdir(parents=True, exist_ok=True)
    one_at_a_time = threading.Lock()

    def do(run):
        gpu = free.get()
        try:
            write_whole(work_dir / run.name / IDENTITY, identities[run.name])
            result, checkpoint = train_and_score(
                run, data_root, work_dir / run.name, split, gpu, held_out
            )
        finally:
            free.put(gpu)
        if look_inside:
            with one_at_a_time:
                result['probe'] = probe(configs[run.name], checkpoint)
        write_json(out / f'{run.name}.json', dict(result, identity=identities[run.name]))
        return run.name

    failures = []
    with ThreadPoolExecutor(max(gpus, 1)) as pool:
        jobs = {pool.submit(do, run): run.name for run in todo}
        try:
            for i, job in enumerate(as_completed(jobs), start=1):
                try:
                    print(f'{i} of {len(todo)}: {job.result()}', flush=True)
                except Exception as error:  # of one run, whatever it is: the others go on
                    failures.append(f'{jobs[job]}: {error or type(error).__name__}')
                    print(f'{i} of {len(todo)} failed: {failures[-1]}', flush=True)
                    continue
                yield
        finally:  # interrupted, or nobody asks for more: what waits is not begun
            for job in jobs:
                job.cancel()
    if failures:
        raise InputError(
            f'{len(failures)} of {len(todo)} runs failed; the first: {failures[0]}'
        )


def read_result(path: Path) -> dict:
    """Reads the result of one run.

    Raises:
        InputError: it is damaged, or something else; the message names it.
    """
    try:
        run = json.loads(path.read_text())
        missing = {'variant', 'seed', 'scores', 'per_image'} - run.keys()
        if missing:
            raise KeyError(min(missing))
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f'{path}: no result of a study ({error}). Delete it, and its run is repeated.'
        ) from error
    return run


def read_results(out: Path) -> Dict[str, List[dict]]:
    """Reads the results of a study.

    Args:
        out (Path): folder of :func:`run_study`.

    Returns:
        dict[str, list[dict]]: variant -> its runs, by seed.

    Raises:
        InputError: no result, or one that is no JSON; the message names it.
    """
    results: Dict[str, List[dict]] = {}
    for path in sorted(out.glob('*_seed*.json')):
        run = read_result(path)
        results.setdefault(run['variant'], []).append(run)
    if not results:
        raise InputError(f'{out}: no result of a study (*_seed*.json).')
    return results


def pool_folds(runs: Sequence[dict]) -> List[dict]:
    """Makes one run of the folds of each seed: every image was tested on once.

    Args:
        runs (Sequence[dict]): of one variant, all folds and seeds.

    Returns:
        list[dict]: a run for each seed; its scores are means over the images of all
        folds, as a metric would have taken them over one test split.

    Raises:
        InputError: an image was tested on in two folds.
    """
    pooled = []
    for seed in sorted({run['seed'] for run in runs}):
        folds = [run for run in runs if run['seed'] == seed]
        per_image: Dict[str, dict] = {}
        for run in folds:
            twice = per_image.keys() & run['per_image'].keys()
            if twice:
                raise InputError(
                    f'{run["variant"]}, seed {seed}: image {min(twice)} was '
                    'tested on in two folds. Give each study its own --out.'
                )
            per_image.update(run['per_image'])
        scores: Dict[str, Optional[float]] = {}
        for key in folds[0]['scores']:
            kind, *bone = key.split('.')
            if kind in ('undefined', 'no_surface'):  # numbers of images
                scores[key] = sum(run['scores'][key] for run in folds)
            elif bone:
                values = [image[key] for image in per_image.values() if key in image]
                scores[key] = float(np.mean(values)) if values else None
        for kind in {key.split('.')[0] for image in per_image.values() for key in image}:
            means = [scores.get(f'{kind}.{bone}') for bone in BONES]
            scores[f'm{kind}'] = float(np.mean([m for m in means if m is not None]))
        pooled.append(dict(folds[0], fold=None, scores=scores, per_image=per_image))
    return pooled


def image_dice(runs: Sequence[dict]) -> Dict[str, float]:
    """Average Dice over the bone classes of each image, averaged over the seeds, in %."""
    names = runs[0]['per_image']
    return {
        name: float(
            np.mean(
                [
                    np.mean(
                        [
                            run['per_image'][name][f'Dice.{bone}']
                            for bone in BONES
                            if f'Dice.{bone}' in run['per_image'][name]
                        ]
                    )
                    for run in runs
                ]
            )
        )
        for name in names
    }


def paired_interval(
    runs: Sequence[dict], reference: Sequence[dict]
) -> Tuple[float, float, float]:
    """Difference of two variants over the same images and seeds, with its interval.

    Args:
        runs (Sequence[dict]): of the variant.
        reference (Sequence[dict]): of the reference.

    Returns:
        tuple[float, float, float]: mean difference and the ends of its 95%
        interval over the images (Student's t, since they are few), in % Dice.
    """
    seeds = {run['seed'] for run in runs} & {run['seed'] for run in reference}
    if not seeds:
        raise InputError(
            f'{runs[0]["variant"]} and {reference[0]["variant"]} have no '
            'seed in common. Run both with the same --seeds.'
        )
    a, b = (
        image_dice([run for run in part if run['seed'] in seeds])
        for part in (runs, reference)
    )
    difference = np.array([a[name] - b[name] for name in b])
    interval = stats.ttest_1samp(difference, 0).confidence_interval()
    return float(difference.mean()), float(interval.low), float(interval.high)


def compared(runs: Sequence[dict], reference: Sequence[dict]) -> Tuple[str, str]:
    """Mean and spread of the average Dice of a variant, and what it differs by, as text.

    Args:
        runs (Sequence[dict]): of the variant.
        reference (Sequence[dict]): of the reference; the same runs where it is that one.

    Returns:
        tuple[str, str]: mean and standard deviation over the seeds; the paired difference
        with its interval and the differences of the single seeds.
    """
    dice = {run['seed']: run['scores']['mDice'] for run in runs}
    spread = f' +- {np.std(list(dice.values()), ddof=1):.2f}' if len(dice) > 1 else ''
    against = 'reference'
    if runs is not reference:
        mean, low, high = paired_interval(runs, reference)
        by_seed = [
            dice[run['seed']] - run['scores']['mDice']
            for run in reference
            if run['seed'] in dice
        ]
        against = (
            f'{mean:+.2f} [{low:+.2f}, {high:+.2f}]'
            f'{"" if low > 0 or high < 0 else ", indistinguishable"}; '
            f'{", ".join(f"{value:+.2f}" for value in by_seed)}'
        )
    return f'{np.mean(list(dice.values())):.2f}{spread}', against


def study_table(results: Dict[str, List[dict]], reference: str) -> str:
    """The results as a Markdown table.

    Args:
        results (dict[str, list[dict]]): from :func:`read_results`, each run with the
            scores of a held-out data set.
        reference (str): the variant that the others are compared with.

    Returns:
        str: a row for each variant: seeds; what :func:`compared` says of the held-out
        data and of the validation split; and what :func:`probe` found.

    Raises:
        InputError: the reference has no result, or a run comes from another study.
    """
    if reference not in results:
        raise InputError(f'the reference {reference!r} has no result yet; run it first.')
    for name, runs in results.items():
        for run in runs:
            missing = {'held_out', 'probe'} - run.keys()
            if missing:
                raise InputError(
                    f'{name}, seed {run["seed"]}: its result lacks '
                    f'{min(missing)!r}. Delete it, or give each study its '
                    'own --out.'
                )
    titles = [
        'variant',
        'seeds',
        'held out: Dice (%)',
        'against the reference',
        'validation: Dice (%)',
        'against the reference',
        "largest weight of a'",
        'beta grad L_reg / grad L_cls',
    ]
    rows = [f'| {" | ".join(titles)} |', f'|{"---|" * len(titles)}']

    def mean_of(runs, key):
        values = [r['probe'][key] for r in runs if r['probe'][key] is not None]
        return f'{np.mean(values):.3g}' if values else '-'

    held_out = {
        name: [dict(run, **run['held_out']) for run in runs]
        for name, runs in results.items()
    }
    for name in sorted(results, key=lambda name: name != reference):
        runs = results[name]
        cells = [
            name,
            str(len(runs)),
            *compared(held_out[name], held_out[reference]),
            *compared(runs, results[reference]),
            mean_of(runs, 'largest_weight'),
            mean_of(runs, 'gradient_ratio'),
        ]
        rows.append(f'| {" | ".join(cells)} |')
    return '\n'.join(rows)
