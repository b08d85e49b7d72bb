# SPDX-License-Identifier: Apache-2.0
"""How a program that is measured speaks with bench/run: it is made and warmed up, prints a line of JSON, and answers
every line of standard input, a number of units of work, with {"units": N, "seconds": S}; at the end of input it says
its memory. `invar bench --wait` does the same.
"""
import json
import os
import resource
import sys
import time


class Memory:
    """Resident memory before the work was made, and at most from then on."""

    def __init__(self):
        with open("/proc/self/statm") as file:
            self.before = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the kernel forgets the peak so far
        except OSError:
            pass

    def report(self):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"step_resident_bytes": peak - self.before, "peak_resident_bytes": peak}


def say(**fields):
    print(json.dumps(fields), flush=True)


def timed(work):
    """Seconds that work(units) takes, by units."""
    def run(units):
        start = time.perf_counter()
        work(units)
        return time.perf_counter() - start

    return run


def serve(seconds_of, memory, **ready):
    say(**ready)
    for line in sys.stdin:
        units = int(line)
        say(units=units, seconds=seconds_of(units))
    say(**memory.report())
