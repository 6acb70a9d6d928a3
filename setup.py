"""Packaging of seam_seg: metadata, extras, and the configs and tools in the wheel."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithConfigs(build_py):
    """Copies configs, their index and tools into ``seam_seg/.mim``, as mmseg does."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # a clone finds them where they are
            return
        for folder in ('configs', 'tools'):
            shutil.copytree(
                ROOT / folder,
                Path(self.build_lib) / 'seam_seg' / '.mim' / folder,
                ignore=shutil.ignore_patterns('__pycache__'),
                dirs_exist_ok=True,
            )
        mim = Path(self.build_lib) / 'seam_seg' / '.mim'
        shutil.copy(ROOT / 'model-index.yml', mim)


def read_version() -> str:
    """The version, without importing the package (its stack may not be there)."""
    scope: dict = {}
    exec((ROOT / 'seam_seg' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


setup(
    name='seam-seg',
    version=read_version(),
    description='Structure-enhanced attention for spine segmentation from ultrasound '
    'volume projection images, as an MMSegmentation plugin',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.9',
    author='The seam_seg developers',
    project_urls={
        'Paper': 'https://doi.org/10.1109/ICASSP39728.2021.9414658',
        'MMSegmentation': 'https://github.com/open-mmlab/mmsegmentation',
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        # 3.10: on upstream, by `make test-upstream`; the others: the pinned stack
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Medical Science Apps.',
        'Typing :: Typed',
    ],
    packages=find_packages(include=['seam_seg', 'seam_seg.*']),
    py_modules=['seam_seg_cli'],  # beside the package, which takes seconds to import
    entry_points=dict(console_scripts=['seam-seg = seam_seg_cli:main']),
    package_data={
        'seam_seg': ['py.typed'],
        'seam_seg.weights': ['*.pth', 'README.md'],
        'seam_seg.report': ['templates/*'],
    },
    # The OpenMMLab stack is not listed: two distributions provide it, and torch is
    # to be chosen by machine. `import seam_seg` checks for them and says what to do.
    install_requires=[
        'numpy',
        'scipy>=1.10',
        'matplotlib',
        'pillow',
        'scikit-image>=0.19',
        'jinja2>=3',
    ],
    extras_require=dict(
        onedl=['torch>=2.1', 'onedl-mmsegmentation[mminstall]==1.4.2', 'monai'],
        upstream=[
            'torch>=2.1,<2.2',
            'numpy<2',
            'mmengine==0.10.7',
            'mmcv>=2.1,<2.2',
            'mmsegmentation==1.2.2',
            'ftfy',
            'regex',
            'opencv-python',
            'monai',
        ],
        formats=['pydicom>=3', 'nibabel', 'pynrrd'],
        tensorboard=['tensorboard'],
        wandb=['wandb'],
        onnx=['onnx', 'onnxruntime', 'onnxscript'],
        notebook=['ipykernel', 'nbclient'],
        # Snakemake 9 is of Python 3.11 and later
        benchmark=['snakemake>=9', 'statsmodels', 'monai', 'pandas', 'tabulate'],
    ),
    cmdclass=dict(build_py=BuildWithConfigs),
    zip_safe=False,
)
