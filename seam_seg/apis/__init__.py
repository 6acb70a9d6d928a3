"""What tools and notebooks call: functions that take paths or arrays."""
from .inference import init_model, load_weights, predict_mask
from .runs import load_config, test, train

__all__ = [
    'init_model', 'load_config', 'load_weights', 'predict_mask', 'test', 'train'
]
