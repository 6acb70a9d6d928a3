"""Stands in for mmcv's compiled operations where there is no compiler.

Upstream mmseg imports ``mmcv.ops`` when it is imported itself, which mmcv-lite cannot do.
Nothing in seam_seg calls an operation: here each of them raises.
"""

from typing import Any, Callable


def __getattr__(name: str) -> Callable:
    if name.startswith('__'):
        raise AttributeError(name)

    def operation(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f'mmcv-lite has no compiled operations: {name} was called')

    return operation
