"""What is learned: the SEAM module, its decode head, losses and segmentor."""
from .decode_heads import FPNConvHead, SEAMHead
from .losses import CenterRegressionLoss
from .seam import SEAM
from .segmentors import VPISegmentor, VPITTAModel

__all__ = [
    'CenterRegressionLoss', 'FPNConvHead', 'SEAM', 'SEAMHead', 'VPISegmentor',
    'VPITTAModel'
]
