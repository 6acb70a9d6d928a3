"""Draws the data of Table 1: cases to train on for each seed, and test sets of all.

    ROOT/start                 unlabelled, for the start: no seed of it is used again
    ROOT/tests/NAME            a test set; `all` has that of the first regime, and behind
                               it those that no training is like, as scanner_0000...
    ROOT/REGIME/seed0, ...     what a row is trained on: train-64.txt, in it train-20.txt
                               and in that train-5.txt; val.txt; and what it is tested on

The cases of a seed lie in ROOT/REGIME/cases0, ..., to which seed0, ... links. What is
there already is left as it is.
"""

import argparse
import json
import multiprocessing
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import cv2

from seam_seg.apis.command_line import report_errors
from seam_seg.atomic import write_whole
from seam_seg.datasets.phantom import PhantomParams, find_params, write_phantom

ROOT = Path('data/table1')
COUNTS = (64, 20, 5)  # training cases
VALIDATION = 20  # cases of each seed
UNLABELLED = 400
SEEDS = (*range(10), 100, 101, 102)  # the last are those that choices are made with
OTHER_SEEDS = (0, 1, 2)  # of the rows that regimes but the first have
FAINT_SHARES = dict(f15=0.15, f0=0.0, f40=0.4)
OTHER_TESTS = ('scanner', 'missing', 'occluded')  # that no training is like
KINDS = dict(dataset='', groundtruth='_bone_3', instances='', geometry='')
# The seeds of the data sets. A seed of the rows is added to that of its cases.
START, CASES, TESTS = 9000, 9100, 9300


class Phantom(NamedTuple):
    """A phantom of the study, on disk.

    Attributes:
        root (Path): its folder.
        train, test (int): numbers of cases.
        seed (int): of the data set.
        params (PhantomParams): that its cases are drawn from.
    """

    root: Path
    train: int
    test: int
    seed: int
    params: PhantomParams

    def is_made(self) -> bool:
        """Whether its folder holds this very phantom, whole."""
        wanted = dict(train=self.train, test=self.test, seed=self.seed)
        wanted['params'] = asdict(self.params)
        try:
            made = json.loads((self.root / 'phantom.json').read_text(encoding='utf-8'))
        except (OSError, ValueError):
            return False
        made.pop('preset', None)
        whole = (self.root / 'test.txt').is_file()  # the last file that is written
        return whole and made == json.loads(json.dumps(wanted))

    def make(self, num_workers: int = 1) -> None:
        """Draws it."""
        write_phantom(
            self.root,
            self.train,
            self.test,
            self.seed,
            self.params,
            num_workers=num_workers,
            overwrite=True,
        )


def regime_params(name: str) -> PhantomParams:
    """What a regime is drawn from: ``standard`` with its share of faint bones.

    Args:
        name (str): key of :data:`FAINT_SHARES`.
    """
    return replace(find_params('standard'), faint_share=FAINT_SHARES[name])


def test_phantoms(root: Path) -> Dict[str, Phantom]:
    """The test sets: one for each regime, and three that no training is like.

    Args:
        root (Path): of all data of the study.
    """
    trained = regime_params('f15')
    params = {name: regime_params(name) for name in FAINT_SHARES}
    params['scanner'] = find_params('scanner')
    # Bones that other bodies have.
    params['missing'] = replace(trained, rib_missing=0.15, thoracic_missing=0.08)
    # Rows in which the probe lifts: what lies there hardly shows.
    params['occluded'] = replace(
        trained, num_contact_losses=(2, 4), contact_loss_height=(80, 200)
    )
    counts = {name: 50 if name in OTHER_TESTS else 150 for name in params}
    return {
        name: Phantom(root / 'tests' / name, 0, counts[name], TESTS, own)
        for name, own in params.items()
    }


def case_phantom(root: Path, name: str, seed: int) -> Phantom:
    """The training and validation cases of a seed.

    Args:
        root (Path): of all data of the study.
        name (str): of the regime.
        seed (int): of the rows.
    """
    # The other shares take part with few cases.
    count = max(COUNTS if name == 'f15' else COUNTS[1:]) + VALIDATION
    own = root / name / f'cases{seed}'
    return Phantom(own, count, 0, CASES + seed, regime_params(name))


def draw(phantoms: Sequence[Phantom], num_workers: int) -> None:
    """Draws those phantoms that are not there yet, one in each process."""
    missing = [phantom for phantom in phantoms if not phantom.is_made()]
    if num_workers == 1 or len(missing) < 2:
        for phantom in missing:
            phantom.make(num_workers)
        return
    context = multiprocessing.get_context('spawn')
    with context.Pool(num_workers, cv2.setNumThreads, [1]) as pool:
        for made in [pool.apply_async(phantom.make) for phantom in missing]:
            made.get()


def join_tests(root: Path, first: Path, others: Sequence[Path]) -> None:
    """Makes one test set out of links to several.

    Args:
        root (Path): its folder.
        first (Path): test set whose cases keep their names.
        others (Sequence[Path]): whose cases are named after their folder.
    """
    names = []
    for phantom in (first, *others):
        for old in (phantom / 'test.txt').read_text(encoding='utf-8').split():
            new = old if phantom == first else f'{phantom.name}_{old[-4:]}'
            names.append(new)
            for kind, suffix in KINDS.items():
                ending = f'{suffix}.{"json" if kind == "geometry" else "png"}'
                link = root / kind / 'test' / f'{new}{ending}'
                link.parent.mkdir(parents=True, exist_ok=True)
                target = phantom / kind / 'test' / f'{old}{ending}'
                if not link.is_symlink():
                    link.symlink_to(os.path.relpath(target, link.parent))
    write_whole(root / 'test.txt', ''.join(f'{name}\n' for name in names))


def write_root(root: Path, cases: Phantom, tests: Path) -> None:
    """Makes the data set of a seed out of links to its cases and to a test set.

    Args:
        root (Path): its folder.
        cases (Phantom): of the training and validation cases.
        tests (Path): phantom of the test cases.
    """
    for kind in KINDS:
        (root / kind).mkdir(parents=True, exist_ok=True)
        for split, phantom in (('train', cases.root), ('test', tests)):
            link = root / kind / split
            target = os.path.relpath(phantom / kind / split, link.parent)
            # Left where it is right: a training may be reading through it.
            if not (link.is_symlink() and os.readlink(link) == target):
                link.unlink(missing_ok=True)
                link.symlink_to(target)
    names = (cases.root / 'train.txt').read_text(encoding='utf-8').split()
    labelled = names[:-VALIDATION]
    parts: Dict[str, List[str]] = {
        f'train-{count}': labelled[:count] for count in COUNTS if count <= len(labelled)
    }
    parts['val'], parts['train'] = names[-VALIDATION:], names
    parts['test'] = (tests / 'test.txt').read_text(encoding='utf-8').split()
    for name, part in parts.items():
        write_whole(root / f'{name}.txt', ''.join(f'{case}\n' for case in part))


def make_data(
    root: Path,
    seeds: Sequence[int] = SEEDS,
    regimes: Sequence[str] = tuple(FAINT_SHARES),
    num_workers: int = 1,
) -> None:
    """Draws what is missing of the data.

    Args:
        root (Path): of all data of the study.
        seeds (Sequence[int]): of the rows. Regimes but the first take part with those of
            :data:`OTHER_SEEDS` alone.
        regimes (Sequence[str]): keys of :data:`FAINT_SHARES`.
        num_workers (int): processes.
    """
    start = Phantom(root / 'start', UNLABELLED, 0, START, regime_params('f15'))
    draw([start], num_workers)
    tests = test_phantoms(root)
    wanted = [
        (name, seed)
        for name in regimes
        for seed in seeds
        if name == 'f15' or seed in OTHER_SEEDS
    ]
    cases = [case_phantom(root, name, seed) for name, seed in wanted]
    draw([*tests.values(), *cases], num_workers)
    joined = root / 'tests' / 'all'
    join_tests(joined, tests['f15'].root, [tests[name].root for name in OTHER_TESTS])
    for (name, seed), phantom in zip(wanted, cases):
        tested = joined if name == 'f15' else tests[name].root
        write_root(root / name / f'seed{seed}', phantom, tested)


@report_errors
def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--root', type=Path, default=ROOT, help=f'(default: {ROOT})')
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=SEEDS,
        help='of the rows (default: all, and those that choices are made with)',
    )
    parser.add_argument(
        '--regimes',
        nargs='+',
        choices=list(FAINT_SHARES),
        default=list(FAINT_SHARES),
        help='by their share of faint bones: 15%%, none, 40%% (default: all)',
    )
    parser.add_argument(
        '--num-workers', type=int, default=os.cpu_count() or 1, help='processes'
    )
    args = parser.parse_args(argv)
    make_data(args.root, args.seeds, args.regimes, args.num_workers)
    return 0


if __name__ == '__main__':
    sys.exit(main())
