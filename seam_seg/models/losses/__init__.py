from .center_regression_loss import CenterRegressionLoss
from .total_variation_loss import TotalVariationLoss

__all__ = ['CenterRegressionLoss', 'TotalVariationLoss']
