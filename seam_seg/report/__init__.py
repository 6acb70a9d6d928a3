"""Pages that a clinician reads: HTML of a measurement, and an index of many.

:mod:`.drawing` is geometry, :mod:`.words` says what flags mean, and :mod:`.pages` fills
the templates. A page holds all it needs, asks no network for anything, and is the same
for the same input.
"""

from .pages import case_page, index_page

__all__ = ['case_page', 'index_page']
