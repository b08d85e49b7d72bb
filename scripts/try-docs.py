#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every command that README and docs print, on small data made for it: nightly, or by hand, some minutes.

usage: scripts/try-docs.py FOLDER [--build build] [--whole | --look] [DOCUMENT ..]

Each block of commands runs in a folder of its own with the files that the documents speak of; FOLDER/log holds all that
was run, in how long, and what was said. Trainings are cut to a few steps unless --whole is given. Placeholders
(`invar embed RUN SOURCE`) stand for what FILLED has. `invar VERB --option` inside sentences are looked at alone: there is
such a verb, and it has these options; with --look all are, and none is run. What runs elsewhere is listed in ELSEWHERE.
Exit status 1 where a command failed.
"""
import argparse
import functools
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Commands that this script does not run, and who does.
ELSEWHERE = {"./quickstart": "by hand", "./check": "CI", "bench/run": "by hand", "cmake -G": "by hand",
             "ninja -C": "by hand", "cc program.c": "tests/cli/library.bats", "mpirun -n 4 --map-by": "with 32 cores",
             "mpirun --hostfile": "with several machines", "srun": "under Slurm"}
COMMANDS = r"(\$ )?([A-Z0-9_]+=\S+ )?(invar|cc|cmake|cpack|ctest|mpirun|srun|ninja|scripts/\S+|bench/\S+|\./\w+|tensorboard|dpkg-\w+) "
# What placeholders stand for, in this order.
FILLED = [(r" \[[^\]]*\]", ""), (r"\bagent RECIPE", "agent dqn-catch training.steps=200"), (r"\bplay RUN", "play AGENT --episodes 2"),
          (r"\bRECIPE\b", "simclr-table data.source=csv:my.csv data.label=class training.batch=64"),
          (r"KEY=A,B,C", "training.seed=0,1"), (r"TERM --in NAME=FILE.npy", "vicreg --in z1=z1.npy --in z2=z2.npy"),
          (r"\bSOURCE\b", "images:photos"), (r"\bID\b", "catch"), (r"-o FILE$", "-o encoder.onnx"), (r"NAME-", "simclr-"),
          (r" ?\.\.(?= |$)", "")]
CIFAR = 10000 * 3073


def blocks(path):
    """[(line number, command)] of every block of indented or fenced lines."""
    found, block, fenced, after = [], [], False, ""
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), ""], 1):
        fenced ^= line.startswith("```")
        code = line if fenced else line[4:] if line.startswith("    ") else None
        if code is None:
            found, block, after = found + ([block] if block else []), [], ""
        elif after:
            block[-1] = (block[-1][0], after + " " + re.split(r" {2,}", code.strip())[0])
            after = block[-1][1]
        elif re.match(COMMANDS, code + " "):
            block.append((number, re.split(r" {2,}", code.removeprefix("$ ").strip())[0]))
            after = block[-1][1]
        after = re.sub(r"\s*\\$", "", after) if after.endswith("\\") else "&&" if after.endswith("&&") and after != "&&" else ""
        if block and block[-1][1].endswith("\\"):
            block[-1] = (block[-1][0], after)
    return found


class Place:
    """What the documents speak of, made once, and a folder of links to it for each block."""

    def __init__(self, folder, build, whole, look):
        self.folder, self.made, self.build, self.look = folder, folder / "made", build, look
        if look:
            folder.mkdir(parents=True, exist_ok=True)
            return
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        self.made.mkdir()
        cut = "" if whole else """case "$*" in
*--help* | *--dry-run*) ;;
agent*--resume*) set -- "$@" training.steps=600 ;;
agent*) set -- "$@" training.steps=300 agent.start=100 ;;
*--resume*) ;;
pretrain*-fashion-mnist*) set -- "$@" training.steps=2 data.source=idx:idx ;;
pretrain*) set -- "$@" training.steps=2 ;;
sweep*-fashion-mnist*) set -- "$@" training.steps=2 --no-probe data.source=idx:idx ;;
sweep*) set -- "$@" training.steps=2 --no-probe ;;
play*) set -- "$@" --episodes 1 ;;
bench*) set -- "$@" --steps 1 training.batch=16 ;;
esac
"""
        wrapper = folder / "bin/invar"
        wrapper.write_text(f'#!/bin/sh\n{cut}exec "{build}/invar" "$@"\n')
        wrapper.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "OMPI_ALLOW_RUN_AS_ROOT": "1",
                            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}
        self.make()

    def shell(self, line, where, limit=1800):
        return subprocess.run(["bash", "-ec", line], cwd=where, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit, check=False)

    def must(self, line):
        done = self.shell(line, self.made)
        if done.returncode:
            sys.exit(f"try-docs: {line}: {done.stdout}")

    def make(self):
        data = f"{self.build}/tests/make_data"
        self.must(f"{data} idx idx 400 200 28 10; {data} images photos 3 180 64; {data} images labelled 3 30 64; {data} images more-photos 3 4 64; "
                  "ln -s photos DIR; "
                  f"{data} clips clips 4 3 60; {data} clips more-clips 4 3 2; ln -s clips recordings; mkdir cifar-10-batches-bin")
        labels = bytes(i % 10 for i in range(10000))
        batch = bytearray(os.urandom(CIFAR))
        batch[::3073] = labels
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            (self.made / f"cifar-10-batches-bin/{name}.bin").write_bytes(batch)
        self.tables()
        self.shards()
        self.arrays()
        self.must("invar pretrain relic-cifar10 data.source=images:photos data.size=32 encoder=null encoder.kind=small-resnet "
                  "'encoder.widths=[8, 16]' training.batch=64 training.warmup=0 --run RUN; invar probe RUN; invar inspect RUN; "
                  "invar robustness RUN --limit 32; invar agent dqn-catch training.steps=200 agent.start=100 --run AGENT")

    def tables(self):
        kinds = ["low", "middle", "high"]
        head = "age,hours,job"
        rows = [f"{20 + i * 7 % 50},{10 + i % 3 * 15 + i % 5},{'abcd'[i * 5 % 4]}" for i in range(900)]
        for name, label in ("people", "income"), ("my", "class"), ("customers", "churned"), ("table", "kind"):
            few = name == "customers"
            lines = [f"{row},{'' if few and i % 4 else kinds[i % 3]}" for i, row in enumerate(rows)]
            (self.made / f"{name}.csv").write_text("\n".join([f"{head},{label}", *lines]) + "\n")
        for name in "others", "new":
            (self.made / f"{name}.csv").write_text("\n".join([head, *rows[:40]]) + "\n")

    def shards(self):
        photos = sorted(self.made.glob("photos/*/*"))
        for name, count in ("set-{:03}.tar", 128), ("new-{:02}.tar", 64):
            for i in range(count):
                with tarfile.open(self.made / name.format(i), "w") as tar:
                    for photo in photos[i::count]:
                        tar.add(photo, photo.relative_to(self.made / "photos"))
        head, *rows = (self.made / "people.csv").read_text().splitlines(keepends=True)
        for i in range(2):
            (self.made / f"part-{i}.csv.gz").write_bytes(gzip.compress((head + "".join(rows[i::2])).encode()))

    def arrays(self):
        import numpy as np
        rng = np.random.default_rng(1)
        labels = np.arange(900) % 3
        x = rng.normal(size=(900, 6)) + labels[:, None]
        np.save(self.made / "x.npy", x)
        np.save(self.made / "features.npy", x.astype("f4"))
        np.save(self.made / "y.npy", labels)
        np.save(self.made / "images.npy", rng.integers(0, 256, (600, 3, 32, 32), np.uint8))
        for name in "z1", "z2":
            np.save(self.made / f"{name}.npy", rng.normal(size=(64, 16)).astype("f4"))
        for name in "list", "features":
            (self.made / f"{name}.csv").write_text("\n".join(["label", *map(str, labels)]) + "\n")

    def block(self, name, text):
        """A folder for a block of this text."""
        where = self.folder / name
        (where / "runs").mkdir(parents=True)
        for item in self.made.iterdir():
            if item.name not in ("RUN", "AGENT"):
                (where / item.name).symlink_to(item)
        runs = {*re.findall(r"FOLDER/[a-z0-9-]+", text), "runs/quickstart"}
        runs |= {"RUN", *re.findall(r"invar (?:probe|embed) (runs/\S+)", text)}
        for run in (run for run in runs if f"--run {run}" not in text and not re.search(r"^runs/.*-\d+$", run)):
            shutil.copytree(self.made / "RUN", where / run)
        for run in {"AGENT", *re.findall(r"invar play (runs/\S+)", text)}:
            if f"--run {run}" not in text:
                shutil.copytree(self.made / "AGENT", where / run)
        return where


@functools.cache
def options(build, verb):
    """Of a verb, or None where there is no such verb."""
    helped = subprocess.run([f"{build}/invar", verb, "--help"], capture_output=True, text=True, check=False)
    return None if helped.returncode else set(re.findall(r"--[a-z0-9-]+", helped.stdout))


def known(build, line):
    """What is wrong with the verb or the options of a line."""
    line = re.sub(r"^([A-Z0-9_]+=\S+|(mpirun|srun) .*?) (?=invar )", "", line)
    words = re.split(r"\s+", re.sub(r"[`\[\]().,;]", " ", line).strip())
    if words[0] != "invar" or len(words) < 2 or not re.fullmatch(r"[a-z]+", words[1]) or words[1] == "help":
        return None
    there = options(build, words[1])
    if there is None:
        return f"there is no verb {words[1]}"
    line = line.split("&&")[0]
    missing = [word for word in re.findall(r"--[a-z0-9-]+", line) if word not in there]
    return f"{words[1]} has no {', '.join(missing)}" if missing else None


class Log:
    def __init__(self, path):
        self.file, self.failed, self.counts = open(path, "w", encoding="utf-8"), [], {}

    def note(self, where, kind, line, said="", wrong=False):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        text = f"{where}: {'FAILED ' if wrong else ''}{kind}: {line}"
        self.file.write(text + "\n" + "".join(f"    {row}\n" for row in said.splitlines()))
        self.file.flush()
        if wrong:
            self.failed.append(text)
            print(text + "\n" + "\n".join(said.splitlines()[-5:]), flush=True)


@functools.cache
def has_games():
    return subprocess.run([os.environ.get("INVAR_PYTHON", "python3"), "-c", "import ale_py, gymnasium"], check=False,
                          capture_output=True).returncode == 0


def elsewhere(line):
    if re.search(r"gym:|runs/pong", line) and not has_games():
        return "where Gymnasium is"
    return next((where for start, where in ELSEWHERE.items() if line.startswith(start)), None)


def run_line(place, where, line):
    """(status, what was said); --watch goes on until it is interrupted."""
    for pattern, text in FILLED:
        line = re.sub(pattern, text, line)
    if "--watch" in line:
        line = f"timeout -s INT 3 {line} || [ $? -eq 124 ]"
    done = place.shell(line, where)
    return done.returncode, done.stdout


def try_document(place, path, log):
    named = os.path.relpath(path, ROOT)
    for block in blocks(path):
        where = None
        for number, line in block:
            at = f"{named}:{number}"
            if elsewhere(line):
                log.note(at, f"elsewhere ({elsewhere(line)})", line)
            elif place.look:
                wrong = known(place.build, line)
                log.note(at, "looked at", line, wrong or "", bool(wrong))
            else:
                where = where or place.block(f"{path.stem}-{block[0][0]}", "\n".join(text for _, text in block))
                started = time.monotonic()
                status, said = run_line(place, where, line)
                log.note(at, f"run, {time.monotonic() - started:.1f} s", line, said, status != 0)
        if where:
            shutil.rmtree(where)
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(r"`(invar [a-z][^`]*)`", text):
        line = " ".join(found.group(1).split())
        wrong = known(place.build, line)
        log.note(f"{named}:{text.count(chr(10), 0, found.start()) + 1}", "in text", line, wrong or "", bool(wrong))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--look", action="store_true")
    parser.add_argument("documents", nargs="*", type=pathlib.Path)
    a = parser.parse_intermixed_args()
    documents = [path.resolve() for path in a.documents] or [ROOT / "README.md", ROOT / "CONTRIBUTING.md",
                                                             ROOT / "bench/README.md", *sorted((ROOT / "docs").glob("*.md"))]
    place = Place(a.folder.resolve(), a.build.resolve(), a.whole, a.look)
    log = Log(place.folder / "log")
    for path in documents:
        try_document(place, path, log)
    ran = sum(count for kind, count in log.counts.items() if kind.startswith("run"))
    others = {kind: count for kind, count in sorted(log.counts.items()) if not kind.startswith("run")}
    summary = f"{ran} commands run, " + ", ".join(f"{count} {kind}" for kind, count in others.items())
    summary += f", {len(log.failed)} failed"
    log.file.write(summary + "\n")
    print(summary)
    return 1 if log.failed else 0


if __name__ == "__main__":
    sys.exit(main())
