"""What runs beside the model: hooks of mmengine's runner."""
from .hooks import OverlayHook, RuntimeHook, StyleImagesHook

__all__ = ['OverlayHook', 'RuntimeHook', 'StyleImagesHook']
