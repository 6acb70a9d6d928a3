"""Pairs by dynamic programming, against all pairings one by one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from seam_seg.measurement.center_line import sample_line
from seam_seg.measurement.levels import (
    JUMP,
    LARGEST_JUMP,
    LUMBAR,
    MISSING,
    THORACIC,
    Pieces,
    best_pairs,
    find_levels,
)

STRAIGHT = sample_line(np.zeros(101), np.linspace(-100, 1900, 101))


def make_pieces(x, y, label=THORACIC, lump=-1):
    count = len(x)
    whole = np.ones(count, bool)
    full = [np.broadcast_to(part, count) for part in (label, 400.0, -1, lump)]
    return Pieces(np.array(x, float), np.array(y, float), *full, whole)


def price(pairs, cost, turn):
    """What pairs cost, term by term."""
    total = MISSING * (sum(cost.shape) - 2 * len(pairs))
    total += sum(cost[pair] for pair in pairs)
    for one, other in zip(pairs, pairs[1:]):
        total += min(((turn[other] - turn[one]) / JUMP) ** 2, LARGEST_JUMP)
    return total


@pytest.mark.parametrize('seed', range(6))
def test_pairs_are_the_cheapest_of_all(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 5, 2)
    cost = rng.uniform(0, 9, shape)
    cost[rng.random(shape) < 0.3] = np.inf
    turn = rng.normal(0, 0.15, shape)
    choices = [()]
    for count in range(1, min(shape) + 1):
        for left in itertools.combinations(range(shape[0]), count):
            for right in itertools.combinations(range(shape[1]), count):
                choices.append(tuple(zip(left, right)))
    best = min(price(pairs, cost, turn) for pairs in choices)
    assert price(best_pairs(cost, turn), cost, turn) == pytest.approx(best)


def test_one_missing_bone_shifts_no_pair():
    y = np.arange(10) * 100.0
    left, right = np.delete(y, 3), np.delete(y, 6)
    pieces = make_pieces(np.repeat([-50.0, 50.0], 9), np.append(left, right))
    levels = find_levels(pieces, STRAIGHT, 100)
    assert [level.s for level in levels] == pytest.approx(y + 100)
    lone = [n for n, level in enumerate(levels) if min(level.left, level.right) < 0]
    assert lone == [3, 6]
    for level in levels:
        if level.left >= 0 and level.right >= 0:
            assert pieces.y[level.left] == pieces.y[level.right]


def test_classes_do_not_mix_and_wings_of_one_lump_are_a_pair():
    y = np.array([0, 100, 200.0])
    pieces = make_pieces(np.repeat([-50.0, 50.0], 3), np.tile(y, 2))
    label = np.array([THORACIC, THORACIC, LUMBAR, THORACIC, LUMBAR, LUMBAR])
    mixed = replace(pieces, label=label)
    levels = find_levels(mixed, STRAIGHT, 100)
    assert sum(min(level.left, level.right) >= 0 for level in levels) == 2
    # A tilted lump: its wings are nearer to those of the next ones than to each other.
    tilted = make_pieces([-50, 50, -50, 50], [55, 0, 155, 100.0], LUMBAR, [1, 1, 2, 2])
    pairs = [(level.left, level.right) for level in find_levels(tilted, STRAIGHT, 100)]
    assert pairs == [(0, 1), (2, 3)]


def test_nothing_is_paired_across_a_level_or_backwards():
    pieces = make_pieces([-50, 50], [0, 90.0])
    assert len(find_levels(pieces, STRAIGHT, 100)) == 2
    halves = make_pieces([-4, 4], [0, 0.0])  # of one ellipse that the line crosses
    assert len(find_levels(halves, STRAIGHT, 100)) == 2
