"""``seam-seg COMMAND``: the tools of seam_seg by one name.

A module beside the package, since ``import seam_seg`` takes seconds, which a question for
help and a wrong option shall not wait for.
"""

import argparse
import importlib.util
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# Command -> its file in tools/, and what it does.
COMMANDS = dict(
    predict=('predict', 'segments images; with --report it measures the curves, too'),
    measure=('measure', 'measures the curves in masks'),
    prepare=('prepare_vpi', 'makes a data set of folders of images and masks'),
    check=('check_dataset', 'lists the faults of a data set'),
    phantom=('make_phantom', 'writes a synthetic data set'),
    train=('train', 'trains a model from a config'),
    test=('test', 'scores a checkpoint on the test cases'),
    folds=('make_folds', 'writes the splits of a cross-validation'),
    benchmark=('benchmark', 'trains and compares configs over seeds'),
    export=('export_onnx', 'writes a model as one ONNX file'),
    publish=('publish_model', 'strips a checkpoint to its weights'),
)


def tools_folder() -> Path:
    """The tools of a clone, or those that a wheel has inside the package."""
    clone = (ROOT / 'configs' / '_base_').is_dir()
    return ROOT / 'tools' if clone else ROOT / 'seam_seg' / '.mim' / 'tools'


def main() -> None:
    """Runs the tool that the first argument names, on the others."""
    version = runpy.run_path(str(ROOT / 'seam_seg' / 'version.py'))['__version__']
    parser = argparse.ArgumentParser(
        prog='seam-seg',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description='Bones and curves of the spine in ultrasound volume projection '
        'images. Research use.',
        epilog='commands (seam-seg COMMAND --help lists the options of one):\n'
        + '\n'.join(f'  {name:10}{text}' for name, (_, text) in COMMANDS.items()),
    )
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND')
    parser.add_argument('--version', action='version', version=f'seam-seg {version}')
    command = parser.parse_args(sys.argv[1:2]).command
    sys.argv = [f'{parser.prog} {command}', *sys.argv[2:]]
    path = tools_folder() / f'{COMMANDS[command][0]}.py'
    sys.path.insert(0, str(path.parent))  # for what lies beside it
    spec = importlib.util.spec_from_file_location(f'seam_seg_{path.stem}', path)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    sys.exit(tool.main())


if __name__ == '__main__':
    main()
