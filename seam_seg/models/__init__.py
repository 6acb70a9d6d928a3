"""What is learned: the SEAM module, its decode head, losses and segmentor."""
from .decode_heads import FPNConvHead, FPNDAHead, FPNEMAHead, FPNNonLocalHead, SEAMHead
from .losses import CenterRegressionLoss
from .seam import SEAM
from .segmentors import VPISegmentor, VPITTAModel

__all__ = [
    'CenterRegressionLoss', 'FPNConvHead', 'FPNDAHead', 'FPNEMAHead', 'FPNNonLocalHead',
    'SEAM', 'SEAMHead', 'VPISegmentor', 'VPITTAModel'
]
