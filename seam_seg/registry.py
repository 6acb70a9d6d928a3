"""The scope ``seam_seg``, which mmengine looks up here.

mmengine notes this scope in every part of a config whose ``_base_`` is ``seam_seg::...``,
and ``MMSegInferencer(..., scope='seam_seg')`` names it. Nothing is registered in it: what
it is asked for, it finds in its parent, mmseg's registry of the same kind.
"""

from mmengine.registry import Registry
from mmseg import registry as mmseg_registry

REGISTRIES = {
    name: Registry(parent.name, parent=parent, scope='seam_seg')
    for name, parent in vars(mmseg_registry).items()
    if isinstance(parent, Registry)
}
