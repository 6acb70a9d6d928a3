from .attention_heads import FPNDAHead, FPNEMAHead, FPNNonLocalHead
from .fpn_conv_head import FPNConvHead
from .seam_head import SEAMHead

__all__ = ['FPNConvHead', 'FPNDAHead', 'FPNEMAHead', 'FPNNonLocalHead', 'SEAMHead']
