from .center_regression_loss import CenterRegressionLoss

__all__ = ['CenterRegressionLoss']
