"""Makes tiny images, masks and data sets in the layout on disk."""

import cv2
import numpy as np

# That of the ready weights.
READY_CONFIG = 'seam-keymass-votes_r18-fpn_1xb4-10800_phantom-512x128'


def draw_case(seed, shape=(64, 32)):
    """A grey image and a mask with a block of every class, (H, W) uint8 each."""
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    for label in (1, 2, 3):
        top = height * label // 5
        mask[top : top + height // 8, width // 4 : 3 * width // 4] = label
    noise = np.random.default_rng(seed).integers(100, 200, shape, dtype=np.uint8)
    return np.where(mask > 0, noise // 3, noise), mask


def write_image(path, pixels):
    """Writes a file, and makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def write_contract(root, train=5, test=2, shape=(64, 32)):
    """Writes a data set; the cases are called a0, a1, ... and t0, t1, ..."""
    for split, letter, count in (('train', 'a', train), ('test', 't', test)):
        names = [f'{letter}{i}' for i in range(count)]
        for i, name in enumerate(names):
            image, mask = draw_case([ord(letter), i], shape)
            write_image(root / 'dataset' / split / f'{name}.png', image)
            write_image(root / 'groundtruth' / split / f'{name}_bone_3.png', mask)
        (root / f'{split}.txt').write_text('\n'.join(names) + '\n')
    return root
