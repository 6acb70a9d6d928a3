"""The table of one checkpoint under configs that are not its own."""

from pathlib import Path

from studies.blocks import mean_of, number, origin, rows_of, table

CLASSES = ('lumbar', 'thoracic', 'rib')
# Setting of the rows -> how the checkpoint is tested, and what then happens.
SETTINGS = {
    'its own': ('by itself', 'the same'),
    'its name': (
        "with its config's name, without the options of its training",
        'error: `model.data_preprocessor.mean`',
    ),
    'as printed': (
        'with its options, and the config of Eq. 4 as printed',
        'error: `model.decode_head.normalization`',
    ),
}


def scores(folder: Path) -> str:
    """Dice under each config, as it was without a word, and what is said now."""
    lines = []
    for setting, (way, now) in SETTINGS.items():
        rows = rows_of(folder, setting)
        dice = [mean_of(rows, 'Dice', bone) for bone in CLASSES]
        lines.append([way, *map(number, dice), number(sum(dice) / len(dice)), now])
    titles = ['tested', 'lumbar D', 'thoracic D', 'rib D', 'Ave. D', 'now']
    return table(titles, lines) + origin(rows_of(folder), always=False)


BLOCKS = {'wrong_config.scores': scores}
PLOTS = {}
