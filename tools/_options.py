"""The options that tools share."""

import argparse


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Adds the switch for checkpoints that hold more than weights."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read a checkpoint even if that runs code which came with it',
    )


def add_subjects(parser: argparse.ArgumentParser) -> None:
    """Adds the two ways to say whose the cases of a data set are."""
    parser.add_argument(
        '--subject-pattern',
        metavar='REGEX',
        help='its first group, searched in the name of a case, is the subject, whose '
        'cases belong together (default: each case is a subject, or of the one that '
        'prepared.csv names; names that look otherwise are pointed out)',
    )
    parser.add_argument(
        '--one-scan-per-subject',
        action='store_true',
        help='each case is a subject, whatever its name looks like',
    )


def add_window(parser: argparse.ArgumentParser) -> None:
    """Adds the grey levels that images are seen by."""
    parser.add_argument(
        '--window',
        nargs=2,
        type=float,
        metavar=('LOW', 'HIGH'),
        help='grey levels that become 0 and 255 (default: those of the file or of the '
        'model, where they say; or else 8 bits as they are, others from 0 to the 99.9th '
        'percentile of each image)',
    )


def add_overrides(parser: argparse.ArgumentParser, text: str) -> None:
    """Adds ``--cfg-options``, which :func:`.command_line.read_overrides` reads."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help=text,
    )


def run_parser(description: str, config_needed: bool = True) -> argparse.ArgumentParser:
    """The options that training and testing have in common.

    Args:
        description (str): of the tool.
        config_needed (bool): whether the config may not be left out. Default: True.

    Returns:
        ArgumentParser: with the config as its first argument.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        'config',
        nargs=None if config_needed else '?',
        help='path or name of a config'
        + ('' if config_needed else ' (default: the one that the checkpoint carries)'),
    )
    parser.add_argument('--data-root', help="data set, instead of the config's")
    parser.add_argument('--work-dir', help='folder for logs and results')
    add_overrides(parser, 'overrides of the config, for example randomness.seed=1')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='pytorch with torchrun; also without a GPU',
    )
    add_trust(parser)
    return parser
