"""How threads wait for each other; every tool imports this before anything else does.

Between two steps of a computation torch's threads wait by spinning, as GNU's OpenMP has
it, for milliseconds. Where another job holds one of the cores, the thread that is waited
for has none, since the others spin on theirs: a training step can take ten times as long.
So they spin a thousand times, about as long as it takes to wake a thread up, and then
sleep, which costs 5% on a machine of one's own (``studies/shared_machine``). Unlike
another number of threads, it changes no bit of a result.

OpenMP reads this once, when torch is loaded, and ``import seam_seg`` loads torch: hence a
module beside the tools. Whoever has said how threads shall wait is left alone.
"""

import os

if 'OMP_WAIT_POLICY' not in os.environ:
    os.environ.setdefault('GOMP_SPINCOUNT', '1000')
