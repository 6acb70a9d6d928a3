"""What a case looks like: mask, tissue, shadows and artefacts.

Smooth things are drawn at half resolution ("half px"). ``[F]``, ``[I]``, ``[O]``: see
:mod:`.params`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .anatomy import LAST_PAIR, Bone, Geometry, draw_ellipse, draw_geometry
from .draws import draw_field, draw_int, draw_line, draw_or, shake
from .looks import NOISE_MODELS, TEXTURE_MODELS
from .params import BACKGROUND, LUMBAR, RIB, THORACIC, PhantomParams
from .shadows import SHADOW_MODELS, Shadow, add_shadow, draw_bone_shadows, fill


@dataclass(frozen=True)
class PhantomCase:
    """One synthetic case.

    Attributes:
        image: uint8 (H, W), the VPI image.
        mask: uint8 (H, W), 0 background, 1 rib, 2 thoracic, 3 lumbar.
        instances: uint16 (H, W), 0 background, else the ``id`` of the geometry's bone;
            a bone that others hide has no pixel.
        geometry: JSON-able, see :meth:`Geometry.to_dict`, plus the ``seed`` and, of each
            bone, the ``shadow`` it casts.
    """

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray
    geometry: dict


def _paint_bridge(
    instances: np.ndarray, bridge: Bone, bones: Sequence[Bone], own: Sequence[int]
) -> None:
    """Shares what joins two merged bones out between them, in place.

    Args:
        instances (ndarray): uint16 (H, W), ids of the bones painted so far.
        bridge (Bone): What joins them; its level is that of the first.
        bones (Sequence[Bone]): All bones, ids in their order from 1.
        own (Sequence[int]): Ids of the bones of the bridge's class.
    """
    ids = [
        i
        for i in own
        if bones[i - 1].side == bridge.side
        and bridge.level in (bones[i - 1].level, bones[i - 1].merged_with)
    ]
    joined = np.zeros(instances.shape, np.uint8)
    fill(joined, bridge.outline, 1)
    # What the two hold already stays theirs.
    y, x = np.nonzero((joined > 0) & ~np.isin(instances, own))
    centers = np.array([bones[i - 1].center for i in ids])
    off = np.hypot(x[:, None] - centers[:, 0], y[:, None] - centers[:, 1])
    instances[y, x] = np.array(ids, np.uint16)[off.argmin(1)]


def draw_instances(geometry: Geometry) -> np.ndarray:
    """Paints the bones one by one, uint16 (H, W).

    Blue over green over red, as annotated; of two of a class the lower lies on top. What
    joins merged bones goes to the nearer one.

    Args:
        geometry (Geometry): Of the case.

    Returns:
        ndarray: 0 background, else the id of the bone in the geometry file.
    """
    instances = np.zeros((geometry.height, geometry.width), np.uint16)
    for label in (RIB, THORACIC, LUMBAR):
        own = [i for i, bone in enumerate(geometry.bones, 1) if bone.label == label]
        for i in own:
            fill(instances, geometry.bones[i - 1].outline, i)
        for bridge in geometry.bridges:
            if bridge.label == label:
                _paint_bridge(instances, bridge, geometry.bones, own)
    for distance in geometry.body.distances(*instances.shape):
        instances[distance < 0] = 0
    return instances


def draw_mask(geometry: Geometry, instances: np.ndarray | None = None) -> np.ndarray:
    """Paints the labels, uint8 (H, W): the classes of the bones painted one by one.

    Args:
        geometry (Geometry): Of the case.
        instances (ndarray | None): From :func:`draw_instances`; drawn if not given.

    Returns:
        ndarray: 0 background, 1 rib, 2 thoracic, 3 lumbar.
    """
    if instances is None:
        instances = draw_instances(geometry)
    labels = [BACKGROUND, *(bone.label for bone in geometry.bones)]
    return np.array(labels, np.uint8)[instances]


def _shadow_distractors(
    rng: Generator, params: PhantomParams, geometry: Geometry, passed: np.ndarray
) -> None:
    """Casts shadows that are no bone, anywhere in the body."""
    body = geometry.body
    for _ in range(draw_int(rng, params.num_distractors)):
        y = rng.uniform(body.top, body.bottom)
        row = int(np.clip(y, 0, geometry.height - 1))
        # Beyond the edges too: patches that enter from outside look like ribs.
        x = rng.uniform(body.left[row] - 15, body.right[row] + 15)
        half_width, half_height = rng.uniform(*params.distractor_size, 2)
        outline = [x, y] + draw_ellipse(rng, 1.3 * half_width, 0.8 * half_height)
        depth = rng.uniform(*params.distractor_depth)
        add_shadow(passed, outline, depth, rng.uniform(8, 20))


def _shadow_column(
    rng: Generator, params: PhantomParams, geometry: Geometry, passed: np.ndarray
) -> None:
    """Casts the spinous processes' shadow: a dark column along the center line."""
    height, width = geometry.height, geometry.width
    rows = np.arange(height)
    # The column is dark at the top, weakest at the bright levels, darkest below. [I]
    body = geometry.body
    lumps = [v['y'] for v in geometry.vertebrae if v['level'][0] == 'L']
    lumbar = lumps[0] if lumps else 0.9 * body.bottom
    knots = [body.top, body.top + 0.45 * (lumbar - body.top), lumbar, body.bottom]
    low, high = params.column_depth
    low_depth = 0.8 * low
    depth = low + (high - low) * (
        np.interp(rows, knots, [0.8, 0.4, 0.9, 0.85]) + 0.16 * draw_line(rng, height, 90)
    )
    low, high = params.column_sigma
    sigma = low + (high - low) * (
        np.interp(rows, knots, [0.45, 0.2, 0.6, 0.7]) + 0.15 * draw_line(rng, height, 110)
    )
    middle = geometry.center_x + rng.normal(0, 4) + 4 * draw_line(rng, height, 130)
    x = np.arange(0, width, 2, dtype=np.float32)
    every_other = np.s_[::2, None]
    sigma = sigma.clip(16)[every_other].astype(np.float32)
    off = np.abs(x - middle[every_other].astype(np.float32)) / sigma
    depth = depth.clip(low_depth, 0.97)[every_other].astype(np.float32)
    # A little flatter in its dark middle than a Gaussian.
    passed *= 1 - depth * np.exp(-0.5 * off**2.2)

    for _ in range(draw_int(rng, params.num_column_blobs)):
        y = rng.uniform(body.top, body.bottom)
        row = min(int(y), geometry.height - 1)  # a sloped end may lie below the frame
        at = geometry.center_x[row] + rng.normal(0, 5), y
        outline = at + draw_ellipse(rng, *rng.uniform(20, 38, 2))
        add_shadow(passed, outline, rng.uniform(0.4, 0.9), rng.uniform(10, 16))
    if params.midline_blob and rng.random() < params.midline_blob:
        _shadow_midline(rng, params, geometry, passed)


def _shadow_midline(
    rng: Generator, params: PhantomParams, geometry: Geometry, passed: np.ndarray
) -> None:
    """Casts the black round spot on the midline beside the last pair: no bone. [I]"""
    for vertebra in geometry.vertebrae:
        if vertebra['level'] == LAST_PAIR:
            at = np.array([vertebra['x'], vertebra['y']]) + rng.normal(0, [5, 16])
            half = rng.uniform(*params.midline_blob_radius) * rng.uniform(0.9, 1.15, 2)
            outline = at + draw_ellipse(rng, *half)
            add_shadow(passed, outline, rng.uniform(0.86, 0.98), rng.uniform(9, 14))


def _draw_shadows(
    rng: Generator, params: PhantomParams, geometry: Geometry
) -> tuple[np.ndarray, list[Shadow]]:
    """Draws the shadows of bones and of everything else.

    Returns:
        tuple[ndarray, list[Shadow]]: the share of echo that passes, float32
        (H / 2, W / 2), about 0 to 1, and how each bone shows, in their order.
    """
    shape = (geometry.height + 1) // 2, (geometry.width + 1) // 2
    passed = np.ones(shape, np.float32)
    bones = draw_bone_shadows(rng, params, geometry)
    SHADOW_MODELS[params.shadow_model](rng, params, geometry, bones, passed)
    _shadow_distractors(rng, params, geometry, passed)
    # Shadows are uneven inside: where echo leaks in, they are shallower.
    leak = np.clip(0.05 + 0.08 * draw_field(rng, shape, (16, 20)), 0, 0.4)
    passed += leak * (1 - passed)
    _shadow_column(rng, params, geometry, passed)
    passed = shake(rng, shake(rng, passed, 30, 3.5), 6, 0.9)
    # Every sweep of the probe smears along its own line. [I]
    passed = cv2.GaussianBlur(passed, (0, 0), sigmaX=2.5, sigmaY=0.8)
    return passed, bones[: len(geometry.bones)]


def _paraspinal_gain(rng: Generator, geometry: Geometry) -> np.ndarray:
    """Draws the brighter muscle beside the midline, float32 (H / 2, W / 2)."""
    x = np.arange(0, geometry.width, 2, dtype=np.float32)
    off = np.abs(x - geometry.center_x[::2, None].astype(np.float32))
    strip = np.exp(-0.5 * ((off - rng.uniform(55, 75)) / 26) ** 2)
    return rng.uniform(0.08, 0.25) * strip - 0.04


def _draw_tissue(rng: Generator, params: PhantomParams, geometry: Geometry) -> np.ndarray:
    """Draws the soft tissue's echo, float32 (H / 2, W / 2), grey levels, unclipped."""
    body = geometry.body
    shape = (geometry.height + 1) // 2, (geometry.width + 1) // 2
    share = (np.arange(shape[0]) * 2 - body.top) / (body.bottom - body.top)
    knots = np.array(params.level_at, dtype=np.float64)
    # The ends stay put, the bright region in between comes at differing places.
    knots[1:-1] += rng.normal(0, 0.02, len(knots) - 2) + rng.normal(0, 0.03)
    level = np.array(params.level, dtype=np.float64)
    level *= np.exp(params.level_jitter * rng.standard_normal(len(level)))
    level = np.interp(share, knots, level)
    level = cv2.GaussianBlur(level[:, None].astype(np.float32), (1, 0), 0, sigmaY=30)

    texture = TEXTURE_MODELS[params.texture_model](rng, params, shape, share)
    tissue = level * np.exp(texture)
    tissue *= 1 + _paraspinal_gain(rng, geometry)

    for _ in range(draw_int(rng, params.num_glints)):
        # Most of the flat bright streaks lie near the top end.
        y = body.top + (body.bottom - body.top) * rng.beta(0.5, 2)
        row = int(np.clip(y, 0, geometry.height - 1))
        x = rng.uniform(body.left[row] + 30, body.right[row] - 30)
        half = rng.uniform(25, 60), rng.uniform(3, 6)
        glint = np.zeros(shape, np.float32)
        x0, y0 = int(x / 2), int(y / 2)
        turn = np.degrees(rng.uniform(*params.scan_slope))
        axes = int(half[0] / 2), max(int(half[1] / 2), 1)
        cv2.ellipse(glint, (x0, y0), axes, turn, 0, 360, 1.0, -1)
        window = np.s_[max(y0 - 30, 0) : y0 + 30, max(x0 - 60, 0) : x0 + 60]
        soft = cv2.GaussianBlur(glint[window], (0, 0), sigmaX=6, sigmaY=2)
        tissue[window] *= 1 + rng.uniform(0.3, 0.9) * soft
    return tissue


def _draw_scan_slope(
    rng: Generator, params: PhantomParams, geometry: Geometry
) -> np.ndarray:
    """Draws the tilt of the scan lines per row (H,), px/px: the probe rocks."""
    low, high = params.scan_slope
    middle, half = (low + high) / 2, (high - low) / 2
    wander = draw_line(rng, geometry.height, 500)
    return (middle + 0.6 * half * wander).clip(low, high)


def _draw_bands(
    rng: Generator, params: PhantomParams, geometry: Geometry
) -> list[tuple[float, float]]:
    """Draws where dashes are dense: a list of (middle row, sigma in rows)."""
    body = geometry.body
    bands = []
    for _ in range(draw_int(rng, params.num_dash_bands)):
        height = rng.uniform(*params.dash_band_height)
        middle = rng.uniform(body.top + height, body.bottom - height)
        bands.append((middle, height / 4))
    return bands


def _draw_visibility(
    rng: Generator, params: PhantomParams, geometry: Geometry
) -> np.ndarray:
    """Draws how much of the body is seen, float32 (H, W) in [0, 1]: ragged edges."""
    height, width = geometry.height, geometry.width
    body = geometry.body
    rows = np.arange(height)
    # Edges are nearly crisp along the back and fade out at both its ends. [I]
    into = np.minimum((rows - body.top) / 80, (body.bottom - rows) / 260).clip(0, 1)
    left, right, top, bottom = body.distances(height, width)
    seen = np.minimum(top, bottom / 2.5).clip(0, 1)
    for distance in (left, right):
        ragged = rng.uniform(*params.edge_raggedness) * rng.standard_normal(height)
        ragged *= np.exp(0.3 * draw_line(rng, height, 80))
        fade = 3 + 3 * np.abs(draw_line(rng, height, 60))
        fade += rng.uniform(10, 50) * (1 - into)
        distance += ragged[:, None].astype(np.float32)
        distance /= fade[:, None].astype(np.float32)
        seen *= distance.clip(0, 1)
    return seen


def _draw_dash_line(
    rng: Generator,
    params: PhantomParams,
    image: np.ndarray,
    row: float,
    slope: float,
    in_body: np.ndarray,
) -> None:
    """Draws one tilted line of 1-px-high black dashes, in place.

    Args:
        rng (np.random.Generator): Source of randomness.
        params (PhantomParams): Ranges.
        image (ndarray): float32 (H, W).
        row (float): Row at the middle of the frame.
        slope (float): px/px.
        in_body (ndarray): bool (H, W).
    """
    height, width = image.shape
    x = np.arange(width)
    y = np.round(row + slope * (x - width / 2)).astype(int)
    length = max(params.dash_length * np.exp(0.55 * rng.standard_normal()), 1)
    period = length + max(length * rng.uniform(0.8, 6), 3)
    phase = (x + rng.uniform(0, period)) % period
    valid = (y >= 0) & (y < height)
    valid[valid] &= in_body[y[valid], x[valid]]
    dark = valid & (phase < round(length))
    image[y[dark], x[dark]] = 0
    # A dash may end in a bright dot. [I]
    dot = valid & (np.floor(phase) == round(length))
    image[y[dot], x[dot]] *= rng.uniform(1, 1.5)


def _draw_dashes(
    rng: Generator,
    params: PhantomParams,
    geometry: Geometry,
    image: np.ndarray,
    slope: np.ndarray,
    bands: list[tuple[float, float]],
    seen: np.ndarray,
) -> None:
    """Draws the regular occlusion noise, in place: dense bands and lone lines."""
    in_body = seen > 0.3
    rows = []
    for middle, sigma in bands:
        count = int(4 * sigma * rng.uniform(0.2, 0.5))
        rows += list(middle + sigma * rng.standard_normal(count).clip(-2, 2))
    for _ in range(draw_int(rng, params.num_dash_lines)):
        first = rng.uniform(geometry.body.top, geometry.body.bottom)
        rows += list(first + np.cumsum(rng.uniform(1, 9, rng.integers(1, 5))))
    for row in rows:
        at = slope[int(np.clip(row, 0, len(slope) - 1))] + rng.normal(0, 0.01)
        _draw_dash_line(rng, params, image, row, at, in_body)


def _draw_processing(
    rng: Generator, params: PhantomParams, geometry: Geometry, image: np.ndarray
) -> np.ndarray:
    """Applies lost contact, blur, gain and log compression, float32 (H, W)."""
    rows = np.arange(geometry.height)
    losses = params.num_contact_losses
    for _ in range(draw_int(rng, losses) if losses[1] else 0):
        # The probe lifts: the echo fades over some rows and comes back.
        middle = rng.uniform(geometry.body.top, geometry.body.bottom)
        sigma = rng.uniform(*params.contact_loss_height) / 4
        loss = rng.uniform(0.2, 0.7) * np.exp(-0.5 * ((rows - middle) / sigma) ** 2)
        image *= 1 - loss[:, None].astype(np.float32)
    blur = draw_or(rng, params.blur, 0)
    if blur > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), sigmaX=blur, sigmaY=0.6 * blur)
    gain, gamma = draw_or(rng, params.gain, 1), draw_or(rng, params.gamma, 1)
    if gamma != 1:
        image = 200 * (np.maximum(image, 0) / 200) ** np.float32(gamma)
    return image * np.float32(gain) if gain != 1 else image


def _draw_image(
    rng: Generator, params: PhantomParams, geometry: Geometry
) -> tuple[np.ndarray, list[Shadow]]:
    """Renders the image, uint8 (H, W), and says how each bone shows in it."""
    echo = _draw_tissue(rng, params, geometry)
    passed, shadows = _draw_shadows(rng, params, geometry)
    echo *= passed
    size = geometry.width, geometry.height
    image = cv2.resize(echo, size, interpolation=cv2.INTER_LINEAR)
    slope = _draw_scan_slope(rng, params, geometry)
    bands = _draw_bands(rng, params, geometry)
    image *= NOISE_MODELS[params.noise_model](rng, params, geometry, slope, bands)
    image = cv2.GaussianBlur(image, (3, 1), 0.6)
    image = _draw_processing(rng, params, geometry, image)
    # The echo saturates with a knee: bright tissue keeps some of its texture.
    np.minimum(image, 105 + 0.5 * image, out=image)
    np.clip(image, 0, 255, out=image)
    seen = _draw_visibility(rng, params, geometry)
    image *= seen
    _draw_dashes(rng, params, geometry, image, slope, bands, seen)
    return np.clip(image + 0.5, 0, 255).astype(np.uint8), shadows


def make_case(
    seed: int | Sequence[int], params: PhantomParams = PhantomParams()
) -> PhantomCase:
    """Makes one case; the same seed and parameters give the same bytes.

    Args:
        seed (int | Sequence[int]): Non-negative entropy of the case.
        params (PhantomParams): Ranges to draw from.

    Returns:
        PhantomCase: image, mask and geometry.
    """
    seed = [int(s) for s in np.atleast_1d(seed)]
    rng = np.random.default_rng(seed)
    geometry = draw_geometry(rng, params)
    image, shadows = _draw_image(rng, params, geometry)
    content = dict(seed=seed, **geometry.to_dict())
    for bone, shadow in zip(content['bones'], shadows):
        bone['shadow'] = shadow.to_dict()
    instances = draw_instances(geometry)
    return PhantomCase(image, draw_mask(geometry, instances), instances, content)
