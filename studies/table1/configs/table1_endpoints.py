"""What structure is for, image by image: faint bones, missing bones, centers, the curve.

All is measured on every fourth row and column, in a tenth of the time: what a network
predicts at 512 x 128 has pixels that are five times as large as those of the image.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from mmseg.registry import METRICS

from seam_seg.datasets.phantom import PhantomParams
from seam_seg.datasets.readers import read_instances
from seam_seg.evaluation import DiceJaccardMetric
from seam_seg.evaluation.instances import count_overlaps, split_by_truth
from seam_seg.measurement import measure_mask

STEP = 4
FOUND = 0.5  # Dice above which a bone is found
FAINT = PhantomParams().faint_depth[1]  # no other bone has so shallow a shadow
LABELS = dict(rib=1, thoracic=2, lumbar=3)
RADIUS = 25  # px, of the disc where a missing bone would lie; half of an ellipse is 38
ALL = 'all'  # stands for the class in what is of no single one


class Place(NamedTuple):
    """Where a bone would lie that is not there.

    Attributes:
        name (str): of its class.
        level, side (str): of its vertebra, and ``'left'`` or ``'right'`` of it.
        x, y (float): in px.
    """

    name: str
    level: str
    side: str
    x: float
    y: float


def missing_places(geometry: dict) -> List[Place]:
    """Where ribs and thoracic ellipses are missing between the vertebrae that have one.

    The bones of a side lie alike beside their vertebrae: a place is read off, in the axes
    of its vertebra, from the next ones above and below that have the bone.

    Args:
        geometry (dict): of a case, as in its geometry file.
    """
    vertebrae = [v for v in geometry['vertebrae'] if v['level'].startswith('T')]
    tilts = np.radians([vertebra['tilt_deg'] for vertebra in vertebrae])
    middles = np.array([[vertebra['x'], vertebra['y']] for vertebra in vertebrae])
    across = np.stack([np.cos(tilts), -np.sin(tilts)], axis=1)
    down = np.stack([np.sin(tilts), np.cos(tilts)], axis=1)
    order = {vertebra['level']: i for i, vertebra in enumerate(vertebrae)}
    places = []
    for name in ('rib', 'thoracic'):
        for side in ('left', 'right'):
            bones = {
                order[bone['level']]: (bone['x'], bone['y'])
                for bone in geometry['bones']
                if bone['name'] == name and bone['side'] == side
            }
            there = sorted(bones)
            if len(there) < 2:
                continue
            off = np.array([bones[i] for i in there]) - middles[there]
            along = (off * across[there]).sum(axis=1)
            below = (off * down[there]).sum(axis=1)
            for i in set(range(len(vertebrae))) - set(there):
                at = (
                    middles[i]
                    + np.interp(i, there, along) * across[i]
                    + np.interp(i, there, below) * down[i]
                )
                places.append(Place(name, vertebrae[i]['level'], side, *at.tolist()))
    return places


def is_false_bone(
    mask: np.ndarray, true_mask: np.ndarray, place: Place, radius: float
) -> float:
    """Whether a mask has a bone where none is.

    Args:
        mask (np.ndarray): (H, W) predicted labels.
        true_mask (np.ndarray): (H, W) labels.
        place (Place): in pixels of these.
        radius (float): of the disc around it that is looked at.

    Returns:
        float: 1 where more than half of the disc is labelled as the bone, 0 where not;
        what is a bone of the class in truth does not count, and nan says that this is
        half of the disc or more, or outside of the image.
    """
    label = LABELS[place.name]
    reach = np.arange(-int(radius), int(radius) + 1)
    rows, columns = np.meshgrid(reach, reach, indexing='ij')
    disc = rows**2 + columns**2 <= radius**2
    rows = np.rint(place.y).astype(int) + rows[disc]
    columns = np.rint(place.x).astype(int) + columns[disc]
    inside = (rows >= 0) & (rows < mask.shape[0])
    inside &= (columns >= 0) & (columns < mask.shape[1])
    rows, columns = rows[inside], columns[inside]
    free = true_mask[rows, columns] != label
    if free.sum() <= disc.sum() / 2:
        return np.nan
    return float((mask[rows, columns] == label)[free].mean() > 0.5)


def score_bones(
    mask: np.ndarray, true_mask: np.ndarray, bones: np.ndarray, count: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Compares each true bone with what is predicted of it.

    That is what :func:`split_by_truth` makes of the mask: no method of the table tells
    bones apart, and none is to suffer by a neighbour that it touches.

    Args:
        mask (np.ndarray): (H, W) predicted labels.
        true_mask (np.ndarray): (H, W) labels.
        bones (np.ndarray): (H, W) a number for each bone, 0 outside.
        count (int): the largest number.

    Returns:
        tuple[np.ndarray, np.ndarray]: (count,) Dice of bones 1, 2..., nan where others
        hide the bone; and (count,) how far the centers of mass are apart in pixels, nan
        where nothing is predicted.
    """
    split = split_by_truth(mask, true_mask, bones)
    shared = np.zeros((count + 1, count + 1))
    overlaps = count_overlaps(split, bones)
    shared[: overlaps.shape[0], : overlaps.shape[1]] = overlaps
    ours, theirs = shared.sum(axis=1)[1:], shared.sum(axis=0)[1:]
    dice = 2 * _ratio(np.diag(shared)[1:], ours + theirs)
    dice[theirs == 0] = np.nan
    off = _centers(split, count) - _centers(bones, count)
    return dice, np.hypot(*off)


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The quotient, nan where the divisor is 0."""
    return np.divide(one, other, out=np.full(len(one), np.nan), where=other > 0)


def _centers(bones: np.ndarray, count: int) -> np.ndarray:
    """(2, count) rows and columns of the centers of mass of bones 1, 2..."""
    at = np.nonzero(bones)
    numbers = bones[at].astype(np.intp)
    areas = np.bincount(numbers, minlength=count + 1)[1:]
    sums = [np.bincount(numbers, axis, count + 1)[1:] for axis in at]
    return np.stack([_ratio(total, areas) for total in sums])


def _means(score: str, names: Sequence[str], values: np.ndarray) -> Dict[str, float]:
    """``score.CLASS`` and ``score.all``: means of the values, nan where there is none.

    ``names`` are the classes of the values.
    """
    found = {}
    for name in (*LABELS, ALL):
        own = values[[name in (ALL, other) for other in names]]
        own = own[np.isfinite(own)]
        found[f'{score}.{name}'] = float(own.mean()) if len(own) else np.nan
    return found


def score_image(
    mask: np.ndarray, true_mask: np.ndarray, bones: np.ndarray, geometry: dict
) -> Dict[str, float]:
    """All endpoints of an image.

    Args:
        mask (np.ndarray): (H, W) predicted labels.
        true_mask (np.ndarray): (H, W) labels.
        bones (np.ndarray): (H, W) the number of each pixel's bone in the geometry.
        geometry (dict): of the case, as in its geometry file.

    Returns:
        dict[str, float]: of each class and of ``all``, nan where there is no such bone,
        ``BoneDice`` (mean Dice of the bones in %), ``Found`` (share of them in % whose
        Dice is above 0.5), ``Center`` (px, mean error of the centers of those found),
        the same of faint bones as ``FaintDice``, ``FaintFound``, ``FaintCenter``, and
        ``FalseBone`` (share in % of the places of missing bones that have one); and
        ``AngleError.all`` in degrees, nan where ``AngleRefused.all`` (in %) is 100.
    """
    mask, true_mask, bones = (
        np.ascontiguousarray(part[::STEP, ::STEP]) for part in (mask, true_mask, bones)
    )
    listed = geometry['bones']
    dice, off = score_bones(mask, true_mask, bones, len(listed))
    hit = np.where(np.isnan(dice), np.nan, dice > FOUND)
    off = np.where(dice > FOUND, STEP * off, np.nan)
    depths = np.array([bone['shadow']['depth'] for bone in listed])
    names = [bone['name'] for bone in listed]
    found: Dict[str, float] = {}
    for kind, of_kind in (('', depths >= 0), ('Faint', depths <= FAINT)):
        for score, values in (
            ('Dice', 100 * dice),
            ('Found', 100 * hit),
            ('Center', off),
        ):
            title = kind + score if kind or score != 'Dice' else 'BoneDice'
            found.update(_means(title, names, np.where(of_kind, values, np.nan)))
    places = missing_places(geometry)
    scaled = [place._replace(x=place.x / STEP, y=place.y / STEP) for place in places]
    false = [is_false_bone(mask, true_mask, place, RADIUS / STEP) for place in scaled]
    found.update(
        _means('FalseBone', [place.name for place in places], 100 * np.array(false))
    )
    angle = measure_mask(mask, interval=False).largest_curve_angle_deg
    found[f'AngleRefused.{ALL}'] = 100 * float(angle is None)
    found[f'AngleError.{ALL}'] = (
        np.nan if angle is None else abs(angle - geometry['largest_curve_angle_deg'])
    )
    return found


@METRICS.register_module()
class EndpointMetric(DiceJaccardMetric):
    """Dice and Jaccard, and in the file of the images the endpoints of each beside them.

    For phantoms, which keep their bones one by one and their geometry.

    Args:
        endpoints (bool): False leaves them out, as in a validation. Default: True.
        **kwargs: of :class:`DiceJaccardMetric`.
    """

    def __init__(self, endpoints: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoints = endpoints

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Scores a batch; see the base class."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        if not self.endpoints:
            return
        for result, sample in zip(self.results[before:], data_samples):
            path = Path(sample['img_path'])
            split, root = path.parent.name, path.parent.parent.parent
            truth = sample['gt_sem_seg']['data'].squeeze(0).byte().cpu().numpy()
            bones = read_instances(
                root / 'instances' / split / path.name, truth, self.ignore_index
            )
            file = root / 'geometry' / split / f'{path.stem}.json'
            result['endpoints'] = score_image(
                sample['pred_sem_seg']['data'].squeeze(0).byte().cpu().numpy(),
                truth,
                bones,
                json.loads(file.read_text(encoding='utf-8')),
            )

    def _columns(self, results: List[dict], order: List[str]) -> Dict[str, np.ndarray]:
        columns = super()._columns(results, order)
        for key in results[0].get('endpoints', {}):
            columns[key] = np.array([result['endpoints'][key] for result in results])
        return columns
