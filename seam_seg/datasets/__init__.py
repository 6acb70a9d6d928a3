"""What is read: the VPI dataset, its transforms, and the phantom."""
from .transforms import (
                         CacheTransforms,
                         CropPatch,
                         LoadVPIAnnotations,
                         LoadVPIImage,
                         ResizeVPI,
)
from .vpi import VPIDataset

__all__ = [
    'CacheTransforms', 'CropPatch', 'LoadVPIAnnotations', 'LoadVPIImage', 'ResizeVPI',
    'VPIDataset'
]
