"""``python -m seam_seg COMMAND`` is ``seam-seg COMMAND``."""

import sys

from seam_seg_cli import main

# Only this file of the package has been wanted so far; the command imports all of it.
del sys.modules['seam_seg']
main()
