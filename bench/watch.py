#!/usr/bin/env python3
"""The figures of the watch, measured in one run on one machine.

    bench/watch.py [--seconds 300] [--monitors 10000] [--quick]

(a) checks per CPU-second and memory: `landfall serve` against Debian's prometheus-blackbox-exporter, the same nginx, the
    same certificate, a full TLS handshake for every check. Both are asked over their /probe, in turn; then Landfall once
    more by its own schedule, with every result stored.
(b) monitors at 30 s: whether a tick was missed, and how late checks began (the server's own histogram).
(c) requests per second of the public status page.
(d) heartbeat pings per second, each durable before it is answered.

Needs nginx, prometheus-blackbox-exporter and wrk; all of it on loopback.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

import release

TICKS = os.sysconf("SC_CLK_TCK")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=300, help="length of (b)")
    options.add_argument("--monitors", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--checks", type=int, default=4_000, help="checks a round of (a)")
    options.add_argument("--binary", help="a release binary that is there already")
    options = options.parse_args()
    packages = {"nginx": "nginx", "prometheus-blackbox-exporter": "prometheus-blackbox-exporter", "wrk": "wrk"}
    os.environ["PATH"] += ":/usr/sbin"
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if missing:
        sys.exit(f"bench/watch.py: please install {' '.join(missing)}")
    binary = options.binary or release.build()
    print(f"machine: {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="landfall-bench-") as folder:
        folder = pathlib.Path(folder)
        processes = []
        try:
            site = Site(folder, processes)
            checks(binary, folder, site, options, processes)
            watch(binary, folder, site, options, processes)
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


class Site:
    """One nginx with TLS that answers 200 to everything."""

    def __init__(self, folder, processes):
        self.port = free_port()
        self.ca = folder / "ca.pem"
        # An authority and a leaf, as on the real web: a verifier need not take an authority for a server.
        openssl = lambda *words: subprocess.run(["openssl", *map(str, words)], check=True, stderr=subprocess.DEVNULL, cwd=folder)
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *ec, "-days", "90", "-subj", "/CN=Bench Root", "-keyout", "ca.key", "-out", self.ca)
        openssl("req", *ec, "-subj", "/CN=bench.test", "-keyout", "key.pem", "-out", "leaf.csr")
        (folder / "leaf.ext").write_text("subjectAltName=DNS:bench.test,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", self.ca, "-CAkey", "ca.key", "-days", "90", "-extfile", "leaf.ext", "-out", "leaf.pem")
        conf = folder / "nginx.conf"
        conf.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{self.port} ssl backlog=4096; ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.3;
    ssl_session_tickets off; ssl_session_cache off; location / {{ default_type application/json; return 200 '{{"ok":true}}'; }} }} }}
""")
        processes.append(subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL))
        wait_for(self.port)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def cpu_s(process):
    """User and system time of a process so far, in seconds (proc(5), fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def peak_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def scrape(port, path, count, threads=16):
    """Asks /probe so often over kept connections: how many answers said probe_success 1."""
    left = iter(range(count))
    lock, good, wrong = threading.Lock(), [0], []

    def run():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            connection.request("GET", path)
            body = connection.getresponse().read()
            if b"\nprobe_success 1" in body:
                with lock:
                    good[0] += 1
            elif not wrong:
                wrong.append(body[-600:].decode(errors="replace"))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if wrong:
        print(wrong[0], file=sys.stderr)
    return good[0]


def serve(binary, folder, site, processes, name="landfall", **environment):
    port = free_port()
    env = {
        "PATH": os.environ["PATH"], "LANDFALL_LISTEN": f"127.0.0.1:{port}", "LANDFALL_DATABASE": str(folder / f"{name}.sqlite3"),
        "LANDFALL_ALLOW_EGRESS": "127.0.0.0/8", "LANDFALL_CA_FILES": str(site.ca), "LANDFALL_LOG": "warn",
        "LANDFALL_CONNECT_TO": ",".join(f"{h}:{site.port}:127.0.0.1:{site.port}" for h in ["bench.test"]),
        "LANDFALL_LIMIT_HEALTH": "60000000", "LANDFALL_LIMIT_PING": "60000000", "LANDFALL_LIMIT_ADDRESS": "60000000", "LANDFALL_LIMIT_PROBE": "60000000", **environment,
    }
    process = subprocess.Popen([binary, "serve"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=open(folder / f"{name}.log", "w"), text=True)
    processes.append(process)
    wait_for(port)
    return process, port


def checks(binary, folder, site, options, processes):
    config = folder / "blackbox.yml"
    config.write_text(f"""
modules:
  http_2xx:
    prober: http
    timeout: 30s
    http:
      preferred_ip_protocol: ip4
      tls_config:
        ca_file: {site.ca}
        server_name: bench.test
""")
    port = free_port()
    peer = subprocess.Popen(["prometheus-blackbox-exporter", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stderr=subprocess.DEVNULL)
    processes.append(peer)
    wait_for(port)
    ours, our_port = serve(binary, folder, site, processes)
    target = f"https://127.0.0.1:{site.port}/health"
    rows = {"blackbox": [], "landfall": []}
    for _ in range(options.rounds + 1):
        for name, process, at in (("blackbox", peer, port), ("landfall", ours, our_port)):
            before = cpu_s(process)
            good = scrape(at, f"/probe?module=http_2xx&target={target}", options.checks)
            used = cpu_s(process) - before
            if good != options.checks:
                sys.exit(f"{name}: {good} of {options.checks} checks were good")
            rows[name].append((options.checks / used, rss_mib(process)))
    # The first round of each warms caches and is not counted.
    median = {name: sorted(r[0] for r in rows[name][1:])[options.rounds // 2] for name in rows}
    print("(a) checks per CPU-second over /probe, full TLS 1.3 handshake each, medians of", options.rounds, "rounds of", options.checks)
    for name, process in (("blackbox", peer), ("landfall", ours)):
        print(f"    {name:9} {median[name]:7.0f} checks per CPU-second, {rss_mib(process):6.1f} MiB resident, {peak_mib(process):6.1f} MiB at most")
    print(f"    ratio {median['landfall'] / median['blackbox']:.2f}")
    for process in (peer, ours):
        process.terminate()
        process.wait()
        processes.remove(process)


def watch(binary, folder, site, options, processes):
    # The schema is the server's own; the monitors are written past the API, which would take them one by one.
    first, _ = serve(binary, folder, site, processes, name="watch")
    first.terminate()
    first.wait()
    processes.remove(first)
    base = sqlite3.connect(folder / "watch.sqlite3")
    now = int(time.time() * 1e6)
    org, page = uuid.uuid4(), uuid.uuid4()
    base.execute("INSERT INTO orgs (id, slug, name, created_us) VALUES (?, 'bench', 'Bench', ?)", (str(org), now))
    for n in range(options.monitors):
        spec = {"name": f"m{n}", "interval_s": 30, "public": n < 50,
                "check": {"kind": "http", "url": f"https://bench.test:{site.port}/health/{n}", "certificate_days": 0}}
        base.execute(
            "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us) VALUES (?, ?, ?, ?, 'http', ?, 30000000, ?, ?)",
            (str(uuid.uuid4()), str(org), f"m{n}", f"m{n}", json.dumps(spec, separators=(",", ":")), now, now))
    base.commit()
    ours, port = serve(binary, folder, site, processes, name="watch")
    print(f"(b) {options.monitors} monitors at 30 s for {options.seconds} s")
    # The first half minute catches up on everything at once, as after every restart.
    time.sleep(45)
    since, before, lag_before = time.time(), cpu_s(ours), lag(port)
    time.sleep(options.seconds)
    used, lag_after = cpu_s(ours) - before, lag(port)
    count, missed, bad = base.execute(
        "SELECT count(*), sum(outcome = 'missed'), sum(outcome NOT IN ('up', 'missed')) FROM results WHERE scheduled_us >= ? AND scheduled_us < ?",
        (int(since * 1e6), int((since + options.seconds) * 1e6))).fetchone()
    due = options.monitors * options.seconds / 30
    print(f"    {count} results of {due:.0f} ticks, {missed or 0} missed, {bad or 0} not up; {count / used:.0f} checks per CPU-second with everything stored; "
          f"{rss_mib(ours):.0f} MiB resident")
    for share in (0.5, 0.99, 1.0):
        print(f"    lag p{share * 100:g}: at most {quantile(lag_before, lag_after, share)} s")
    ours.terminate()
    ours.wait()
    processes.remove(ours)

    base.execute("UPDATE monitors SET paused = 1, updated_us = ?", (int(time.time() * 1e6),))
    columns = [r[1] for r in base.execute("PRAGMA table_info(status_pages)")]
    values = {"id": str(page), "org_id": str(org), "slug": "bench", "title": "Bench", "created_us": now, "updated_us": now}
    notnull = {r[1]: r[2] for r in base.execute("PRAGMA table_info(status_pages)") if r[3] and r[4] is None and r[1] not in values}
    values.update({name: 1 if kind == "BIGINT" else "" for name, kind in notnull.items()})
    values = {k: v for k, v in values.items() if k in columns}
    base.execute(f"INSERT INTO status_pages ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", tuple(values.values()))
    for column in ("published", "public"):
        if column in columns:
            base.execute(f"UPDATE status_pages SET {column} = 1")
    beats = [str(uuid.uuid4()) for _ in range(1000)]
    heartbeat_rows(base, org, beats, now)
    base.commit()
    base.close()
    ours, port = serve(binary, folder, site, processes, name="watch")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status/bench") as answer:
        size = len(answer.read())
    print(f"(c) public status page of 50 monitors ({size} bytes): {wrk(port, '/status/bench')} requests per second")
    script = folder / "ping.lua"
    script.write_text("local ids = {" + ",".join(f'"{b}"' for b in beats) + "}\nlocal n = 0\nrequest = function() n = n + 1; return wrk.format('POST', '/ping/' .. ids[n % #ids + 1]) end\n")
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/ping/{beats[0]}", method="POST")) as answer:
        if answer.read() != b"OK":
            sys.exit("a ping is not answered with OK")
    rate = wrk(port, "/", script, connections=256)
    print(f"(d) heartbeat pings, durable before the answer (SQLite, synchronous=FULL): {rate} per second")


def heartbeat_rows(base, org, beats, now):
    """Rows as the server writes them: one made by hand would not be understood, so the shape is read from the schema."""
    spec = json.dumps({"name": "beat", "period_s": 86400, "grace_s": 3600})
    info = base.execute("PRAGMA table_info(heartbeats)").fetchall()
    for n, beat in enumerate(beats):
        values = {"id": beat, "org_id": str(org), "external_id": f"b{n}", "slug": f"b{n}", "name": f"b{n}", "spec": spec, "kind": "simple",
                  "status": "new", "created_us": now, "updated_us": now,
                  "state": json.dumps({"status": "new", "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})}
        for _, name, kind, notnull, default, _ in info:
            if notnull and default is None and name not in values:
                values[name] = 0 if kind == "BIGINT" else ""
        values = {k: v for k, v in values.items() if k in {i[1] for i in info}}
        base.execute(f"INSERT INTO heartbeats ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", tuple(values.values()))


def wrk(port, path, script=None, connections=64, seconds=15):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s"] + (["-s", script] if script else []) + [f"http://127.0.0.1:{port}{path}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if bad:
        sys.exit(f"wrk {path}: {bad[0]}\n{said}")
    return round(float(re.search(r"Requests/sec:\s+([0-9.]+)", said)[1]))


def lag(port):
    """The histogram of the schedule's lag: upper bound to count."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r'landfall_schedule_lag_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} ([0-9.e+]+)', text)
    return {float(bound): float(count) for bound, count in found}


def quantile(before, after, share):
    counts = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    total = max(counts.values())
    return next(bound for bound, count in counts.items() if count >= share * total)


if __name__ == "__main__":
    main()
