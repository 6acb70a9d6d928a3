"""Draws masks of spines whose lines are known."""

import cv2
import numpy as np

THORACIC, LUMBAR = 2, 3
STEP = 60.0  # px between levels
APART = 104.0  # px between the two ellipses of a pair


def tilts_of(shape, angle, count=16):
    """Tilts in deg of a straight spine, a single curve or a double one, from the top."""
    along = np.linspace(0, 1, count)
    waves = dict(straight=0 * along, single=np.cos(np.pi * along))
    waves['double'] = np.cos(2 * np.pi * along)
    return angle / 2 * waves[shape]


def fill(mask, outline, label):
    """Fills a polygon (N, 2) of x and y, to a 16th of a pixel."""
    points = np.rint(16 * outline).astype(np.int32)
    cv2.fillPoly(mask, [points], label, shift=4)


def turned(center, tilt, points):
    """Points (N, 2), along the line of a level and down, turned and moved."""
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    return np.array(center) + points @ np.array([[c, -s], [s, c]])


def oval(half_width, half_height):
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return np.stack([half_width * np.cos(t), half_height * np.sin(t)], 1)


def centers_of(tilts, step=STEP):
    """The middles (x, y) of levels on a line to which each level is normal."""
    slopes = np.tan(np.radians(tilts))
    x = np.append(0, np.cumsum((slopes[1:] + slopes[:-1]) / 2 * step))
    return [(160 + a - x.mean(), 70 + step * n) for n, a in enumerate(x)]


def draw_spine(tilts, lumps=5, missing=(), joined=(), touching=(), instances=False):
    """A mask of pairs of ellipses and, below them, of lumps.

    Args:
        tilts: deg, of each level from the top.
        lumps: how many of the levels are lumps.
        missing: (level, side) of ellipses that are not there, side 'left' or 'right'.
        joined: levels of lumps that run together with the next one along the midline.
        touching: (level, side) of ellipses that run together with the next one.
        instances: also returns the number of each pixel's bone.

    Returns:
        uint8 (H, W); with instances, uint16 (H, W), too.
    """
    centers = centers_of(tilts)
    shape = int(centers[-1][1] + 70), 320
    mask, bones = np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)

    def put(outline, label, number):
        before = mask.copy()
        fill(mask, outline, label)
        bones[(mask != before) | ((mask > 0) & (bones == 0))] = number

    for n, (center, tilt) in enumerate(zip(centers, tilts)):
        if n >= len(tilts) - lumps:
            sides = [oval(38, 22) + [side * 36, 0] for side in (-1, 1)]
            lump = turned(
                center, tilt, cv2.convexHull(np.float32(np.vstack(sides)))[:, 0]
            )
            put(lump, LUMBAR, 100 + n)
            if n in joined:
                bar = np.array([[-9, 0], [9, 0], [9, STEP], [-9, STEP]], float)
                put(turned(center, tilt, bar), LUMBAR, 100 + n)
            continue
        for side, name in ((-1, 'left'), (1, 'right')):
            if (n, name) in missing:
                continue
            at = turned(center, tilt, np.array([[side * APART / 2, 0]]))
            put(at + oval(22, 19), THORACIC, 2 * n + 1 + (side > 0))
            if (n, name) in touching:
                bar = np.array([[-8, 0], [8, 0], [8, STEP], [-8, STEP]], float)
                put(turned(at[0], tilt, bar), THORACIC, 2 * n + 1 + (side > 0))
    return (mask, bones) if instances else mask
