"""What is learned: the SEAM module, its decode head and losses, and the other methods."""

from .backbones import PPMU
from .decode_heads import FPNConvHead, FPNDAHead, FPNEMAHead, FPNNonLocalHead, SEAMHead
from .losses import CenterRegressionLoss, SyncCrossEntropyLoss, TotalVariationLoss
from .seam import SEAM
from .segmentors import VPISegmentor, VPITTAModel, WaveCTSegmentor
from .wavelet import WaveletAutoencoder

__all__ = [
    'CenterRegressionLoss',
    'FPNConvHead',
    'FPNDAHead',
    'FPNEMAHead',
    'FPNNonLocalHead',
    'PPMU',
    'SEAM',
    'SEAMHead',
    'SyncCrossEntropyLoss',
    'TotalVariationLoss',
    'VPISegmentor',
    'VPITTAModel',
    'WaveCTSegmentor',
    'WaveletAutoencoder',
]
