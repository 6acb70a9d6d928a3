from .ppmu import PPMU

__all__ = ['PPMU']
