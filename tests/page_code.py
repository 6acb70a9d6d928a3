"""The code that a page shows, as its readers would copy it."""

import re

from seam_seg.config_lookup import project_root


def code_blocks(page, language='python'):
    """The blocks of a page of docs/, in their order."""
    text = (project_root() / 'docs' / page).read_text()
    return re.findall(rf'```{language}\n(.*?)```', text, re.S)
