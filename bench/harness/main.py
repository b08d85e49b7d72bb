#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""invar beside every peer, in turn: each is a process that is made and warmed up once and then works when asked, one at
a time; a round asks all of them. Prints medians, spread and ratios, and keeps them in bench/results.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

import cases
import report
from contender import Contender, Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSY = "while True: pass"


def parse():
    p = argparse.ArgumentParser(prog="bench/run", description=__doc__, epilog="cases: " + "; ".join(
        f"{c.name} ({c.part}): {c.what}" for c in cases.CASES) + "; terms: bench/terms, alone")
    p.add_argument("cases", nargs="*", metavar="PART or CASE", help="step, small, embed, terms or cases (default: all)")
    p.add_argument("--rounds", type=int, default=5, help="default: 5")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    p.add_argument("--precision", choices=["float32", "bfloat16"], help="default: all that the processor has")
    p.add_argument("--peers", metavar="MODE,..",
                   help="eager, channels-last, compiled, onnx (default: all that a case has)")
    p.add_argument("--beside", action="store_true", help="with one other busy process beside each")
    p.add_argument("--build", default=str(ROOT / "build"), help="folder of the command to measure (default: build)")
    p.add_argument("--alone", metavar="COMMAND", default="", help="the rounds of a case are measured while COMMAND "
                   "runs a command: 'flock FILE' lets measurements that share a machine take turns")
    p.add_argument("--keep", action=argparse.BooleanOptionalAction, default=True,
                   help="write to bench/results (default)")
    p.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return p.parse_args()


@contextlib.contextmanager
def alone(command):
    if not command:
        yield
        return
    with subprocess.Popen([*shlex.split(command), "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield
        process.stdin.close()


@contextlib.contextmanager
def busy(wanted):
    process = subprocess.Popen([sys.executable, "-c", BUSY]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def commit(build):
    """Of the sources, and where another build is measured, its name."""
    other = "" if pathlib.Path(build).resolve() == ROOT / "build" else f" (build {pathlib.Path(build).name})"
    done = subprocess.run(["git", "describe", "--always", "--dirty=+", "--exclude=*"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    return (done.stdout.strip() or "unknown") + other


def has_bfloat16():
    """As the processor says: without it PyTorch would be timed emulating it, against nothing."""
    with open("/proc/cpuinfo") as file:
        return "avx512_bf16" in file.read()


def start(case, precision, a, environment):
    """Everyone who can take part, warmed up, and why others cannot."""
    contenders, missing = [], []
    for name, command in cases.commands(case, precision, a.threads, sys.executable, f"{a.build}/invar", a.peers):
        print(f"bench: {case.name} {precision}: {name} starts", file=sys.stderr)
        try:
            contenders.append(Contender(name, command, environment))
        except Failed as why:
            if name == "invar":
                raise SystemExit(f"bench: {why}") from None
            missing.append(str(why))
            print(f"bench: {why}", file=sys.stderr)
    return contenders, missing


def same_net(contenders):
    counts = {c.name: c.ready["parameters"] for c in contenders if "parameters" in c.ready}
    if len(set(counts.values())) > 1:
        raise SystemExit(f"bench: the nets differ in their numbers of parameters: {counts}")


def measure(case, precision, a, environment):
    contenders, missing = start(case, precision, a, environment)
    try:
        same_net(contenders)
        with alone(a.alone):
            with busy(a.beside):
                for _ in range(a.rounds):
                    for c in contenders:
                        c.measure(case.units, case.samples)
            for c in contenders:
                c.finish()
    except Failed as why:
        raise SystemExit(f"bench: {why}") from None
    finally:
        for c in contenders:
            c.stop()
    return result_of(case, precision, a, contenders, missing)


def result_of(case, precision, a, contenders, missing):
    ours = contenders[0].final
    result = {"case": case.name, "part": case.part, "what": case.what, "precision": precision, "beside": a.beside,
              "rounds": a.rounds, "commit": a.commit, "missing": missing,
              "versions": sorted({c.ready["version"] for c in contenders if "version" in c.ready}), "programs": []}
    for c in contenders:
        memory = c.final.get(precision, c.final)
        result["programs"].append({"name": c.name, "rates": c.rates} | {
            k: memory[k] for k in ("step_resident_bytes", "peak_resident_bytes")})
    for k in ("fraction_of_peak", "fraction_of_winograd_bound", "matrix_peak_flops", "step_s", "seconds_by_work"):
        if precision in ours:
            result[k] = ours[precision][k]
    report.summarise(result)
    return result


def machine(a, environment):
    """What invar says of this machine, by the shortest of its steps."""
    command = [f"{a.build}/invar", "bench", "simclr-table", "training.batch=64", "--steps", "1", "--precision",
               "float32", "--threads", str(a.threads), "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    return {"device": said["device"]} | {k: said["float32"][k] for k in ("processor", "instruction_set", "threads")}


def main():
    a = parse()
    # PyTorch compiles within its process, so that no helpers of one stay beside what is measured next.
    environment = os.environ | {"OMP_NUM_THREADS": str(a.threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    words = [word for word in a.cases if word != "terms"]
    wanted = cases.find(words) if words or not a.cases else []
    described = machine(a, environment)
    a.commit = commit(a.build)
    results = []
    for case in wanted:
        for precision in case.precisions:
            if (a.precision or precision) != precision or (precision == "bfloat16" and not has_bfloat16()):
                continue
            results.append(measure(case, precision, a, environment))
            if not a.json:
                print(report.text_of(results[-1]) + "\n", flush=True)
            if a.keep:
                report.keep(described, results)
    if a.json:
        print(json.dumps({"machine": described, "results": results}, indent=1))
    if not a.cases or "terms" in a.cases:
        subprocess.run([str(ROOT / "bench/terms")], check=True, env=environment | {"PYTHON": sys.executable},
                       stdout=sys.stderr if a.json else None)


if __name__ == "__main__":
    main()
