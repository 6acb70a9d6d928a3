"""Builds the wheel of the package, as it is now."""

import shutil
import subprocess
import sys

from seam_seg.config_lookup import project_root

FILES = ('setup.py', 'seam_seg_cli.py', 'pyproject.toml', 'README.md', 'model-index.yml')


def build_wheel(folder):
    """Builds in a copy, so that nothing is left in the clone; returns the file."""
    clone = folder / 'clone'
    clone.mkdir()
    for name in FILES:
        shutil.copy(project_root() / name, clone)
    for name in ('seam_seg', 'configs', 'tools'):
        shutil.copytree(project_root() / name, clone / name)
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps']
    command += ['--no-build-isolation', '--wheel-dir', str(folder), str(clone)]
    subprocess.run(command, check=True, timeout=120)
    (wheel,) = folder.glob('seam_seg-*.whl')
    return wheel
