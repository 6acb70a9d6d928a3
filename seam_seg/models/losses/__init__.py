from .center_regression_loss import CenterRegressionLoss
from .sync_cross_entropy_loss import SyncCrossEntropyLoss
from .total_variation_loss import TotalVariationLoss

__all__ = ['CenterRegressionLoss', 'SyncCrossEntropyLoss', 'TotalVariationLoss']
