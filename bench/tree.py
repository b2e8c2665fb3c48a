#!/usr/bin/env python3
"""How long the reading of a large monorepo takes, beside `git ls-files` and `rg --files` over the same folder.

usage: bench/tree.py [--files 100000] [--runs 5]

Makes a monorepo of so many small files in a temporary folder (services in Python, Node and Go, packages, documents,
and a folder that .gitignore leaves out), commits it, and times, in turn, run by run:

  read      landfall's reading of the folder: everything that an audit reads there
  git       git ls-files --cached --others --exclude-standard
  rg        rg --files --hidden

The clock of a busy machine measures its other work too, so the processor time of each command stands beside it.

The binary is built with `cargo build --release -p landfall-project --example read_tree`. Nothing leaves the machine.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
READER = ROOT / "target/release/examples/read_tree"

PYTHON = """from flask import Blueprint, jsonify

bp = Blueprint("m{n}", __name__)


@bp.get("/m{n}/items")
def items():
    return jsonify([])
"""
SCRIPT = """import {{ total }} from './lib.js';

export function price{n}(items) {{
  return total(items.map((item) => item.price));
}}
"""
GO = """package pkg{n}

func Double(n int) int {{
	return 2 * n
}}
"""
DOC = "# Part {n}\n\nWhat it does, and for whom.\n"


def make(folder, files):
    """A monorepo: 40 services of many modules each."""
    services = 40
    kinds = [("py", PYTHON), ("js", SCRIPT), ("go", GO), ("md", DOC)]
    each = files // services
    for s in range(services):
        base = folder / "services" / f"s{s:02}"
        base.mkdir(parents=True)
        kind = s % 3
        if kind == 0:
            (base / "requirements.txt").write_text("flask==3.0.3\ngunicorn==22.0.0\n")
            (base / "Procfile").write_text("web: gunicorn --bind 0.0.0.0:$PORT app:app\n")
        elif kind == 1:
            (base / "package.json").write_text('{"name": "s%d", "dependencies": {"express": "4.19.2"}}' % s)
        else:
            (base / "go.mod").write_text(f"module example.com/s{s}\n\ngo 1.21\n")
        for n in range(each):
            end, text = kinds[3] if n % 4 == 3 else kinds[kind]
            part = base / f"p{n % 50:02}"
            if n < 50:
                part.mkdir()
            (part / f"m{n}.{end}").write_text(text.format(n=n))
    (folder / ".gitignore").write_text("generated/\nnode_modules/\n")
    generated = folder / "generated"
    generated.mkdir()
    for n in range(2_000):
        (generated / f"g{n}.js").write_text("x\n")
    # Nothing of git's may go on in the background, where it would be measured too.
    person = ["-c", "user.name=b", "-c", "user.email=b@example.com", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run(["git", *person, *command], cwd=folder, check=True)


def timed(command, folder):
    """Seconds by the clock, seconds of processor time (children of the command included), and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    clock = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    if not READER.exists():
        sys.exit(f"{READER} is not built: cargo build --release -p landfall-project --example read_tree")
    if shutil.which("rg") is None:
        sys.exit("rg (ripgrep) is not installed")
    with tempfile.TemporaryDirectory(prefix="landfall-tree-") as temporary:
        folder = pathlib.Path(temporary)
        make(folder, args.files)
        commands = {
            "read": [str(READER), "."],
            "git": ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            "rg": ["rg", "--files", "--hidden"],
        }
        times = {name: [] for name in commands}
        busy = {name: [] for name in commands}
        last = {}
        for _ in range(args.runs):
            for name, command in commands.items():
                seconds, processor, out = timed(command, folder)
                times[name].append(seconds)
                busy[name].append(processor)
                last[name] = out
        seen = json.loads(last["read"])
        print(f"files under git: {last['git'].count(chr(10))}")
        for name, all_times in times.items():
            print(
                f"{name:5} median {statistics.median(all_times):6.3f} s  best {min(all_times):6.3f} s  worst {max(all_times):6.3f} s"
                f"  processor {statistics.median(busy[name]):6.3f} s"
            )
        print(f"processors: {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
        print(f"peak resident set of the reading: {seen['peak']}")
        print(f"seen: {seen['stacks']} stacks, {seen['routes']} routes, {seen['deploy']} deploy files; not read: {seen['unread']}")


if __name__ == "__main__":
    main()
