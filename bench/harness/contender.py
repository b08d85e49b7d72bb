# SPDX-License-Identifier: Apache-2.0
"""A program that is measured: a process that does so many units of work when asked (bench/peers/serve.py)."""
import json
import re
import subprocess
import tempfile


class Failed(Exception):
    """Says why a program takes no part."""


class Contender:
    def __init__(self, name, command, environment):
        self.name, self.rates, self.final = name, [], {}
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        text=True, env=environment)
        self.ready = self.answer()

    def why(self):
        self.process.kill()
        self.process.wait()
        self.errors.seek(0)
        lines = [line for line in self.errors.read().splitlines() if line.strip()]
        word = re.sub(r"/(?:[^\s/:'\"]+/)+", "", lines[-1]) if lines else "ended without a word"  # it goes into tables
        return Failed(f"{self.name}: {word}")

    def answer(self):
        line = self.process.stdout.readline()
        if not line.startswith("{"):
            raise self.why()
        return json.loads(line)

    def measure(self, units, samples):
        try:
            self.process.stdin.write(f"{units}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.why() from None
        self.rates.append(samples / self.answer()["seconds"])

    def finish(self):
        """What it says at the end; invar's is one object of the whole measurement."""
        try:
            self.process.stdin.close()
            self.final = json.loads(self.process.stdout.read())
        except (BrokenPipeError, ValueError):
            raise self.why() from None
        self.process.wait()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()
