"""What tools and notebooks call: functions that take paths or arrays."""

from .inference import Prediction, init_model, load_weights, predict, predict_mask
from .runs import load_config, load_own_config, test, train

__all__ = [
    'Prediction',
    'init_model',
    'load_config',
    'load_own_config',
    'load_weights',
    'predict',
    'predict_mask',
    'test',
    'train',
]
