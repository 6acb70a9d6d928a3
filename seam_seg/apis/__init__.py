"""What tools and notebooks call: functions that take paths or arrays."""

from .export import OnnxModel
from .inference import Segmenter, init_model, load_weights, predict, predict_mask
from .prediction import Prediction
from .runs import load_config, load_own_config, test, train

__all__ = [
    'OnnxModel',
    'Prediction',
    'Segmenter',
    'init_model',
    'load_config',
    'load_own_config',
    'load_weights',
    'predict',
    'predict_mask',
    'test',
    'train',
]
