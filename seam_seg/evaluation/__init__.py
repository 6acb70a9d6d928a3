"""What is measured: pure functions on arrays, and the metric that wraps them."""

from .dice_jaccard import confusion_counts, dice_jaccard
from .metric import DiceJaccardMetric

__all__ = ['DiceJaccardMetric', 'confusion_counts', 'dice_jaccard']
