#!/usr/bin/env python3
"""How fast the diagnosis is, on the corpus of recorded worlds.

    bench/replay.py [--corpus DIR]

(a) judging one evidence file: median, 95th percentile and slowest of all recordings (bound: 5 ms);
(b) replaying the whole corpus with all variants on two threads, as `landfall lab score` does (bound: 30 s).

No network, no servers, no root. The figures are those of a release build on an otherwise idle machine; the exit status is
not 0 when a bound is broken.
"""
import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corpus", type=pathlib.Path, default=ROOT / "scenarios/corpus")
    options = options.parse_args()
    cargo = ["cargo", "run", "--quiet", "--release", "--locked", "-p", "landfall-corpus", "--example", "replay", "--"]
    load = os.getloadavg()[0]
    print(f"machine: {os.cpu_count()} cores, load {load:.1f}")
    if load > 0.5 * (os.cpu_count() or 1):
        print("warning: the machine is busy, so these figures are higher than they should be")
    sys.stdout.flush()
    return subprocess.run([*cargo, options.corpus.resolve()], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
