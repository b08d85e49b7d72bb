# SPDX-License-Identifier: Apache-2.0
"""interpreters.py PACKAGES: trains in two interpreters of this process at once, as test_invar.py has it run; writes what
came of it to SEED-PLACE. Exit status 77 where this Python has no interpreters inside."""

import sys
import threading

try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        sys.exit(77)

TRAIN = """if True:
    import sys
    sys.path.insert(0, {packages!r})
    try:
        import invar, numpy as np
        x = np.random.default_rng({seed}).normal(size=(200, 4))
        for _ in range(3):
            run = invar.pretrain("simclr-table", x, training={{"steps": 20, "batch": 32}}, threads=1)
        said = str(run.embed(x)[3].tolist())
    except ImportError as error:
        said = str(error)
    open("{seed}-{place}", "w").write(said)
"""


def text(seed, place):
    return TRAIN.format(seed=seed, place=place, packages=sys.argv[1])


exec(text(1, "main"), {})
second = interpreters.create()
both = [threading.Thread(target=interpreters.run_string, args=(second, text(1, "second"))),
        threading.Thread(target=exec, args=(text(0, "main"), {}))]
for thread in both:
    thread.start()
for thread in both:
    thread.join()
