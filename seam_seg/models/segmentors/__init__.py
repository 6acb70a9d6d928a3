from .vpi_segmentor import VPISegmentor, VPITTAModel
from .wavect import WaveCTSegmentor

__all__ = ['VPISegmentor', 'VPITTAModel', 'WaveCTSegmentor']
