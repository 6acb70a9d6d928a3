"""Takes training steps of the demo when told to, in a process whose threads are its own.

For each line on its input it prints the seconds of one step; before that, `ready`.
"""

import sys
import time

from studies.speed.measure import training_step

CONFIG = 'seam-keymass_r18-fpn_1xb8-600_phantom-256x128'
BATCH_SIZE = 8

if __name__ == '__main__':
    step = training_step(CONFIG, sys.argv[1], BATCH_SIZE)[1]
    for _ in range(2):
        step()
    print('ready', flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)
