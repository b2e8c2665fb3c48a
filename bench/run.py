#!/usr/bin/env python3
"""The figures of the README, measured in one run on one machine. Needs root (network namespaces).

    bench/run.py [--rounds 7] [--rtt 40]

(a) wall time of the network part of an audit against the critical path that the audit itself prints, and against the
    physical floor (dependent round trips times the link's round-trip time), over a link with real latency;
(b) the same audit against the sequence that a person runs by hand (bench/by-hand.sh), in turn, on the same link;
(c) CPU time of `landfall --version` and the size of the release binary.

The far side is real: BIND answers DNS, Caddy serves HTTP/1.1, HTTP/2 and HTTP/3 in front of the Flask backend.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import release
import rtt_link

ROOT = release.ROOT
HOST = "api.example.test"
PATHS = ["/api/support/health", "/health", "/api/webhooks/stripe/health"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--rtt", type=float, default=40.0, help="milliseconds, both ways together")
    options.add_argument("--binary", type=pathlib.Path, help="the landfall binary, when it is built already")
    options = options.parse_args()
    subprocess.run([ROOT / "scripts/setup", "test"], check=True)
    binary = options.binary or release.build()

    print(f"machine: {os.cpu_count()} cores; link: {options.rtt:g} ms round trip; {options.rounds} rounds, medians")
    with tempfile.TemporaryDirectory(prefix="landfall-bench-") as folder, rtt_link.link(options.rtt):
        world = World(pathlib.Path(folder))
        try:
            network(binary, world, options)
        finally:
            world.down()
    start(binary)


class World:
    """BIND, Caddy and gunicorn in the far namespace; gunicorn again as the local backend in the near one."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.ca, key, chain = make_chain(folder)
        backend = ROOT / "scenarios/levqor/project"
        for side, name, port in ((rtt_link.in_near, "near", 8000), (rtt_link.in_far, "far", 8001)):
            copy = folder / name
            shutil.copytree(backend, copy)
            shutil.copy(ROOT / "scenarios/levqor/dotenv", copy / ".env")
            gunicorn = [ROOT / ".lab/venv/bin/gunicorn", "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}", "run:app"]
            self.start(side(*map(str, gunicorn)), cwd=copy)
        caddyfile = folder / "Caddyfile"
        caddyfile.write_text(
            "{\n  admin off\n  auto_https disable_redirects\n}\n"
            f"https://{HOST} {{\n  tls {chain} {key}\n  reverse_proxy 127.0.0.1:8001\n}}\n"
            f"http://{HOST} {{\n  redir https://{HOST}{{uri}}\n}}\n"
        )
        self.start(rtt_link.in_far("caddy", "run", "--config", str(caddyfile), "--adapter", "caddyfile"), env={"HOME": str(folder)})
        zone = folder / "zone"
        zone.write_text(
            "$TTL 300\n@ IN SOA ns1 admin 1 7200 3600 1209600 300\n@ IN NS ns1\n@ IN CAA 0 issue \"ca.example.test\"\n"
            f"ns1 IN A {rtt_link.FAR_ADDRESS}\napi IN A {rtt_link.FAR_ADDRESS}\n"
        )
        named = folder / "named.conf"
        named.write_text(
            f'options {{ directory "{folder}"; listen-on {{ any; }}; listen-on-v6 {{ none; }}; recursion yes; allow-recursion {{ any; }};'
            ' allow-query { any; }; dnssec-validation no; pid-file none; session-keyfile none; };\n'
            f'controls {{ }};\nzone "example.test" {{ type primary; file "{zone}"; }};\n'
        )
        os.chmod(folder, 0o755)
        self.start(rtt_link.in_far("named", "-g", "-c", str(named)))
        etc = pathlib.Path("/etc/netns") / rtt_link.NEAR
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {rtt_link.FAR_ADDRESS}\n")
        self.etc = etc
        self.wait()

    def start(self, words, cwd=None, env=None):
        log = open(self.folder / f"log-{len(self.processes)}", "wb")
        self.processes.append(
            subprocess.Popen(words, cwd=cwd, env={**os.environ, **(env or {})}, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        )

    def wait(self):
        checks = [
            ["curl", "-sf", "--cacert", self.ca, f"https://{HOST}/health"],
            ["curl", "-sf", "http://127.0.0.1:8000/health"],
        ]
        for check in checks:
            for _ in range(100):
                if subprocess.run(rtt_link.in_near(*map(str, check)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                    break
                time.sleep(0.1)
            else:
                for n in range(len(self.processes)):
                    sys.stderr.write((self.folder / f"log-{n}").read_text(errors="replace")[-2000:])
                sys.exit(f"the far side does not answer: {' '.join(map(str, check))}")

    def down(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=10)
        shutil.rmtree(self.etc, ignore_errors=True)


def make_chain(folder):
    """A root and a leaf for the host, by openssl."""

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, stderr=subprocess.DEVNULL)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "90", "-subj", "/CN=Bench Root", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={HOST}")
    (folder / "leaf.ext").write_text(f"subjectAltName=DNS:{HOST}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "80", "-extfile", "leaf.ext", "-out", "leaf.pem")
    os.chmod(folder / "leaf.key", 0o644)
    return folder / "ca.pem", folder / "leaf.key", folder / "leaf.pem"


def network(binary, world, options):
    config = world.folder / "landfall.toml"
    config.write_text(
        f'[target]\nproduction = "https://{HOST}"\nlocal = "http://127.0.0.1:8000"\n'
        + "".join(f'[[endpoint]]\npath = "{path}"\n' for path in PATHS)
    )
    evidence_file = world.folder / "evidence.json"
    audit = rtt_link.in_near(
        str(binary), "audit", "--config", str(config), "--resolver", rtt_link.FAR_ADDRESS, "--ca-file", str(world.ca),
        "--skip", "tests,project", "--format", "json", "--fail-on", "never", "--quiet", "--save-evidence", str(evidence_file),
    )
    by_hand = rtt_link.in_near(str(ROOT / "bench/by-hand.sh"), HOST, rtt_link.FAR_ADDRESS, str(world.ca), "http://127.0.0.1:8000")
    rows = []
    for round_ in range(options.rounds + 1):
        began = time.perf_counter()
        done = subprocess.run(audit, check=True, capture_output=True)
        audit_s = time.perf_counter() - began
        began = time.perf_counter()
        hand = subprocess.run(by_hand, capture_output=True)
        hand_s = time.perf_counter() - began
        report = json.loads(done.stdout)
        evidence = json.loads(evidence_file.read_text())
        check_same_work(report, evidence, hand.stdout)
        if round_ == 0:
            continue  # a warm-up: file caches, the backends' first request
        asked = [o for o in evidence["observations"] if o["seen"]["kind"] in ("dns", "tls", "http")]
        wall_ms = (max(o["started_us"] + o["took_us"] for o in asked) - min(o["started_us"] for o in asked)) / 1000
        links = report["timing"]["critical_path"]
        printed_ms = sum(link["took_ms"] for link in links)
        floor_ms = sum(link["round_trips"] for link in links) * options.rtt
        rows.append((wall_ms, printed_ms, floor_ms, audit_s * 1000, hand_s * 1000))
    median = lambda f: statistics.median(f(r) for r in rows)
    spread = lambda f: f"(min {min(map(f, rows)):.2f}, max {max(map(f, rows)):.2f})"
    over_path, over_floor, faster = (lambda r: r[0] / r[1]), (lambda r: r[0] / r[2]), (lambda r: r[4] / r[3])
    print(f"(a) network part of the audit: {median(lambda r: r[0]):.0f} ms wall; printed critical path {median(lambda r: r[1]):.0f} ms;"
          f" floor {median(lambda r: r[2]):.0f} ms   [wall under 1500 at 40 ms]")
    print(f"    wall / critical path: {median(over_path):.3f} {spread(over_path)}   [at most 1.2]")
    print(f"    wall / physical floor: {median(over_floor):.3f} {spread(over_floor)}")
    print(f"(b) whole audit process: {median(lambda r: r[3]):.0f} ms; by hand: {median(lambda r: r[4]):.0f} ms")
    print(f"    by hand / audit: {median(faster):.2f} {spread(faster)}   [at least 5]")


def check_same_work(report, evidence, by_hand):
    """A fast audit that saw nothing would be worthless: both sides must have seen production answer."""
    if report["verdict"] not in ("live", "degraded"):
        sys.exit(f"the audit did not see production live: {report['summary']}")
    versions = {o["seen"]["answer"]["detail"]["version"] for o in evidence["observations"]
                if o["seen"]["kind"] == "http" and o["vantage"] == "edge" and o["seen"]["answer"]["state"] == "present"}
    if not {"HTTP/1.1", "HTTP/2", "HTTP/3"} <= versions:
        sys.exit(f"the audit saw only {sorted(versions)}")
    if by_hand.count(b"200\n") < 10 or b"subject=" not in by_hand:
        sys.exit("the sequence by hand did not see production answer:\n" + by_hand.decode(errors="replace")[-2000:])


def start(binary):
    times = []
    for _ in range(21):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([binary, "--version"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
    print(f"(c) landfall --version: {statistics.median(times):.1f} ms of CPU (median of 21)   [under 10]")
    print(f"    release binary: {binary.stat().st_size / 1024 / 1024:.1f} MiB   [under 30]")


if __name__ == "__main__":
    sys.exit(main())
