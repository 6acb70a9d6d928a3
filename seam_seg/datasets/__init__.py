"""What is read: the VPI dataset, its transforms, its sampler, and the phantom."""

from .seeding import PositionSampler
from .transforms import (
    CacheTransforms,
    CropPatch,
    LoadVPIAnnotations,
    LoadVPIImage,
    LoadVPIInstances,
    MonaiTransforms,
    PackVPIInputs,
    ResizeVPI,
)
from .vpi import VPIDataset

__all__ = [
    'CacheTransforms',
    'CropPatch',
    'LoadVPIAnnotations',
    'LoadVPIImage',
    'LoadVPIInstances',
    'MonaiTransforms',
    'PackVPIInputs',
    'PositionSampler',
    'ResizeVPI',
    'VPIDataset',
]
