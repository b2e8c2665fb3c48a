#!/usr/bin/env python3
"""A full DNS probe by landfall and by `dnsviz probe`, of the same signed zone over the same link. Needs root (network namespaces).

    bench/dns.py [--rounds 5] [--rtt 40]

A root, a top-level domain and a zone of two name servers, all signed, on three NSD processes; Unbound beside them is the
resolver and validates from the root's key. Everything lies at the far end of a link with real latency. `landfall dns` gets the
resolver alone and finds the servers by itself; `dnsviz probe` gets the servers by name, which spares it the search, and is
asked for the types that it needs to judge the chain. The order changes from round to round. That both saw the zone whole is
checked in every round: a fast probe that saw nothing would be worth nothing.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import release
import rtt_link

ZONE, HOST = "shop.test", "api.shop.test"
PARENT, FIRST, SECOND, RESOLVER = "10.78.0.10", "10.78.0.11", "10.78.0.12", "10.78.0.53"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rtt", type=float, default=40.0, help="milliseconds, both ways together")
    options.add_argument("--binary", type=pathlib.Path, help="the landfall binary, when it is built already")
    options = options.parse_args()
    binary = options.binary or release.build()
    for program in ("nsd", "unbound", "dnssec-signzone", "dnsviz"):
        if not shutil.which(program, path=PATH):
            sys.exit(f"{program} is missing; scripts/setup test installs it")
    with tempfile.TemporaryDirectory(prefix="landfall-bench-") as folder, rtt_link.link(options.rtt):
        world = World(pathlib.Path(folder))
        try:
            run(binary, world, options)
        finally:
            world.down()


PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


class World:
    """Three authoritative servers and a resolver in the far namespace."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        os.chmod(folder, 0o755)
        for address in (PARENT, FIRST, SECOND, RESOLVER):
            subprocess.run(rtt_link.in_far("ip", "addr", "add", f"{address}/24", "dev", "lfb-f"), check=True)
        soa = "SOA ns.{0} admin.{0} 2026010101 7200 3600 1209600 300"
        zone = self.sign(ZONE, f"@ {soa.format('shop.test.')}\n@ NS ns1\n@ NS ns2\nns1 A {FIRST}\nns2 A {SECOND}\n"
                               "api A 192.0.2.10\napi AAAA 2001:db8::10\n@ MX 10 mail\nmail A 192.0.2.25\n@ CAA 0 issue \"ca.example\"\n")
        top = self.sign("test", f"@ {soa.format('test.')}\n@ NS ns\nns A {PARENT}\nshop NS ns1.shop\nshop NS ns2.shop\nns1.shop A {FIRST}\n"
                                f"ns2.shop A {SECOND}\n" + (folder / f"dsset-{ZONE}.").read_text())
        root = self.sign(".", f"@ {soa.format('test.')}\n@ NS ns.test.\ntest. NS ns.test.\nns.test. A {PARENT}\n"
                              + (folder / "dsset-test.").read_text())
        self.nsd("parent", PARENT, {".": root, "test": top})
        self.nsd("first", FIRST, {ZONE: zone})
        self.nsd("second", SECOND, {ZONE: zone})
        hints, anchor = folder / "hints", folder / "anchor"
        hints.write_text(f". 3600 IN NS ns.test.\nns.test. 3600 IN A {PARENT}\n")
        # The key that signs keys (flags 257), as dnssec-signzone's key files have it.
        anchor.write_text(next(f.read_text() for f in folder.glob("K.+*.key") if " 257 " in f.read_text()))
        conf = folder / "unbound.conf"
        conf.write_text(
            f'server:\n directory: "{folder}"\n chroot: ""\n username: ""\n pidfile: ""\n do-daemonize: no\n use-syslog: no\n'
            f' interface: {RESOLVER}\n access-control: 10.0.0.0/8 allow\n root-hints: "{hints}"\n trust-anchor-file: "{anchor}"\n'
            ' local-zone: "test." nodefault\n do-not-query-localhost: no\nremote-control:\n control-enable: no\n'
        )
        self.anchor = anchor
        self.start("unbound", "-d", "-c", str(conf))
        self.wait()

    def sign(self, origin, records):
        """Signs a zone with a key of each kind; its file's name."""
        file = self.folder / f"zone-{origin}"
        file.write_text(f"$ORIGIN {origin.rstrip('.')}.\n$TTL 300\n{records}")
        for flags in ([], ["-f", "KSK"]):
            self.run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", *flags, origin)
        self.run("dnssec-signzone", "-S", "-K", ".", "-o", origin, "-f", f"signed-{origin}", file.name)
        return self.folder / f"signed-{origin}"

    def run(self, *words):
        done = subprocess.run(words, cwd=self.folder, capture_output=True, env={**os.environ, "PATH": PATH})
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stderr.decode(errors='replace')}")

    def nsd(self, name, address, zones):
        conf = self.folder / f"nsd-{name}.conf"
        conf.write_text(
            f'server:\n ip-address: {address}\n zonesdir: "{self.folder}"\n pidfile: ""\n username: ""\n database: ""\n chroot: ""\n'
            f' xfrdfile: "{self.folder}/xfrd-{name}"\n zonelistfile: "{self.folder}/list-{name}"\n xfrdir: "{self.folder}"\n'
            " server-count: 1\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n"
            + "".join(f'zone:\n name: "{zone}"\n zonefile: "{file}"\n' for zone, file in zones.items())
        )
        self.start("nsd", "-d", "-c", str(conf))

    def start(self, *words):
        log = open(self.folder / f"log-{len(self.processes)}", "wb")
        env = {**os.environ, "PATH": PATH}
        self.processes.append(subprocess.Popen(rtt_link.in_far(*words), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env))

    def wait(self):
        for _ in range(100):
            asked = subprocess.run(rtt_link.in_near("dig", f"@{RESOLVER}", HOST, "A", "+dnssec", "+tries=1", "+time=1"), capture_output=True)
            if b"192.0.2.10" in asked.stdout and b" ad" in asked.stdout:
                return
            time.sleep(0.1)
        for n in range(len(self.processes)):
            sys.stderr.write((self.folder / f"log-{n}").read_text(errors="replace")[-2000:])
        sys.exit("the resolver does not validate the zone:\n" + asked.stdout.decode(errors="replace"))

    def down(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=10)


def landfall(binary, world):
    """The questions put, and whether the zone was seen whole."""
    words = [binary, "dns", f"https://{HOST}", "--resolver", RESOLVER, "--format", "json", "--quiet"]
    done = subprocess.run(rtt_link.in_near(*map(str, words)), check=True, capture_output=True)
    dns = [o["seen"] for o in json.loads(done.stdout)["observations"] if o["seen"]["kind"] == "dns"]
    asked = {(s["question"]["server"].get("address") or "").rsplit(":", 1)[0] for s in dns if s["answer"]["state"] == "present"}
    keys = any(s["question"]["rtype"] == "DNSKEY" and s["answer"]["state"] == "present" for s in dns)
    if not keys or not {PARENT, FIRST, SECOND, RESOLVER} <= asked:
        sys.exit(f"landfall heard only {sorted(asked)}, keys seen: {keys}")
    return f"{len(dns)} questions"


def dnsviz(_, world):
    out = world.folder / "dnsviz.json"
    at = lambda zone, *servers: ["-x", f"{zone}:" + ",".join(f"{name}={address}" for name, address in servers)]
    words = ["dnsviz", "probe", "-A", "-4", "-a", ".", "-d", "0", "-R", "A,AAAA,SOA,CAA", *at(".+", ("ns.test", PARENT)),
             *at("test", ("ns.test", PARENT)), *at(ZONE, ("ns1.shop.test", FIRST), ("ns2.shop.test", SECOND)), "-o", str(out), HOST]
    done = subprocess.run(rtt_link.in_near(*words), capture_output=True)
    found = json.loads(out.read_text()) if out.exists() else {}
    queries = found.get(f"{ZONE}.", {}).get("queries", [])
    if not any(query["qtype"] == "DNSKEY" for query in queries):
        sys.exit(f"dnsviz saw no keys of the zone: {done.stderr.decode(errors='replace')[-2000:]}")
    count = sum(len(answers) for name in found.values() if isinstance(name, dict) for query in name.get("queries", [])
                for answers in query["responses"].values())
    return f"{count} answers"


def run(binary, world, options):
    probes = {"landfall": landfall, "dnsviz": dnsviz}
    times, work = {name: [] for name in probes}, {}
    for round_ in range(options.rounds + 1):
        order = list(probes)[:: 1 if round_ % 2 else -1]
        for name in order:
            began = time.perf_counter()
            work[name] = probes[name](binary, world)
            if round_:  # the first round warms file caches, and the resolver's
                times[name].append(time.perf_counter() - began)
    print(f"machine: {os.cpu_count()} cores; a signed zone of two servers; link: {options.rtt:g} ms round trip; medians of wall time")
    for name in probes:
        print(f"{name:9} {statistics.median(times[name]) * 1000:8.0f} ms  (min {min(times[name]) * 1000:.0f}, max {max(times[name]) * 1000:.0f},"
              f" {len(times[name])} runs)  {work[name]}")
    print(f"dnsviz / landfall: {statistics.median(times['dnsviz']) / statistics.median(times['landfall']):.1f}")


if __name__ == "__main__":
    main()
