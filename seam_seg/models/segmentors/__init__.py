from .vpi_segmentor import VPISegmentor, VPITTAModel

__all__ = ['VPISegmentor', 'VPITTAModel']
