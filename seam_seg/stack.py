"""Checks at import that the OpenMMLab stack below the package can carry it.

Two distributions provide the modules ``mmcv``, ``mmengine`` and ``mmseg``: the
maintained OneDL forks (tested, see requirements.txt) and upstream OpenMMLab. The
package depends on the modules, not on one distribution's name, so the check is made
here and its message is the exact line that mends the installation.
"""

import contextlib
import importlib
import io
import warnings

ONEDL = 'pip install torch==2.13.0 "onedl-mmsegmentation[mminstall]==1.4.2"'
UPSTREAM = (
    'pip install torch==2.1.2 "numpy<2" ftfy regex openmim mmengine==0.10.7 && '
    'mim install mmcv==2.1.0 && pip install mmsegmentation==1.2.2'
)
LIBGL = (
    'OpenCV cannot load the system library libGL ({error}). Mend it with\n'
    '    apt-get install -y libgl1 libglib2.0-0\n'
    'or, without root,\n'
    '    pip uninstall -y opencv-python && pip install opencv-python-headless'
)

# module -> (lowest version that has the API used here, first version not tried)
SUPPORTED = dict(
    mmengine=('0.10.0', '0.11.0'), mmcv=('2.0.0', '2.4.0'), mmseg=('1.2.0', '1.5.0')
)


def check_stack() -> None:
    """Imports the stack and checks its versions.

    Raises:
        ImportError: a module is missing, does not load or has another version than
            the package was written for; the message holds the line that mends it.
    """
    remedy = (
        f'Install the tested stack with\n    {ONEDL}\n'
        f'or, on upstream OpenMMLab,\n    {UPSTREAM}'
    )
    try:
        importlib.import_module('cv2')
    except ImportError as error:
        if 'libGL' in str(error) or 'libgthread' in str(error):
            raise ImportError(LIBGL.format(error=error)) from error
        raise ImportError(
            f'seam_seg needs OpenCV, which does not import ({error}).\n'
            '    pip install opencv-python'
        ) from error
    # mmcv warns that it has no compiled operations, and mmseg prints that it has no OneDL
    # platform, at every start; the package uses neither. torch warns of checkpoints that
    # it then reads, or refuses with an error. mmseg 1.2 warns of its own heads' calls.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformable')
    warnings.filterwarnings('ignore', message='Detected pickle protocol')
    warnings.filterwarnings('ignore', message='``build_loss`` would be deprecated')
    for name, (lowest, limit) in SUPPORTED.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                module = importlib.import_module(name)
                if name == 'mmseg':
                    importlib.import_module('mmseg.datasets')
        except Exception as error:  # mmseg asserts on an unsuitable mmcv
            raise ImportError(
                f'seam_seg needs {name}, which does not import '
                f'({type(error).__name__}: {error}).\n{remedy}'
            ) from error
        from mmengine.utils import digit_version  # it imports by now

        found = module.__version__
        if not digit_version(lowest) <= digit_version(found) < digit_version(limit):
            raise ImportError(
                f'seam_seg needs {name} >= {lowest}, < {limit}, but {name} {found} '
                f'is installed.\n{remedy}'
            )
