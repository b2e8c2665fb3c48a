#!/usr/bin/env python3
"""A deep TLS scan by landfall, testssl.sh and SSLyze, of the same nginx in one run.

    bench/tls.py [--rounds 5] [--testssl-rounds 1]

nginx serves Mozilla's intermediate profile on loopback. Every scanner goes through a counting relay of its own, which
says how many TCP connections it made, and each is restricted to the checks that the three have in common: protocol
versions, cipher suites, certificate, curves where it can, resumption, renegotiation, compression, early data. The order
changes from round to round. What each found of versions is held against the others' before any figure is printed.

SSLyze is installed from PyPI into .lab/sslyze-venv on the first run; testssl.sh comes with scripts/setup test.
"""
import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import release

ROOT = release.ROOT
HOST = "api.example.test"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--testssl-rounds", type=int, default=1, help="rounds in which testssl.sh runs, since one takes minutes")
    options.add_argument("--binary", type=pathlib.Path, help="the landfall binary, when it is built already")
    options.add_argument("--sslyze", type=pathlib.Path, help="the sslyze command, when it is installed already")
    options = options.parse_args()
    binary = options.binary or release.build()
    sslyze = options.sslyze or install_sslyze()
    with tempfile.TemporaryDirectory(prefix="landfall-bench-") as folder:
        folder = pathlib.Path(folder)
        with Nginx(folder) as nginx:
            run(binary, sslyze, nginx, folder, options)


def install_sslyze():
    venv = ROOT / ".lab/sslyze-venv"
    command = venv / "bin/sslyze"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "-q", "sslyze"], check=True)
    return command


class Nginx:
    """nginx behind a root and a leaf of its own."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.ca, key, leaf = make_chain(folder)
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr warn;\n"
            "events { worker_connections 512; }\n"
            f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n"
            f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
            f"server {{ listen 127.0.0.1:{self.port} ssl http2; server_name {HOST}; ssl_certificate {leaf}; ssl_certificate_key {key};\n"
            "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off; ssl_session_timeout 1d; ssl_session_cache shared:S:1m;\n"
            "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
            "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;\n"
            "location / { return 200 ok; } } }\n"
        )
        self.command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(config)]

    def __enter__(self):
        self.log = open(self.folder / "log", "wb")
        env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, env=env)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        sys.exit("nginx does not answer:\n" + (self.folder / "log").read_text(errors="replace"))

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.log.close()


def make_chain(folder):
    """A root and a leaf for the host, by openssl."""

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, stderr=subprocess.DEVNULL)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "90", "-subj", "/CN=Bench Root",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={HOST}")
    (folder / "leaf.ext").write_text(f"subjectAltName=DNS:{HOST}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "80",
            "-extfile", "leaf.ext", "-out", "leaf.pem")
    return folder / "ca.pem", folder / "leaf.key", folder / "leaf.pem"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Relay:
    """Hands TCP connections on to nginx and counts them."""

    def __init__(self, to):
        self.to, self.count = to, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.pump, args=(client,), daemon=True).start()

    def pump(self, client):
        with client, socket.create_connection(("127.0.0.1", self.to)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join(timeout=30)

    def close(self):
        self.listener.close()


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def landfall(binary, nginx, relay, folder):
    words = [binary, "tls", f"https://{HOST}", "--connect-to", f"{HOST}:443:127.0.0.1:{relay.port}", "--ca-file", nginx.ca,
             "--resolver", "127.0.0.1:9", "--format", "json", "--quiet"]
    evidence = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    survey = next(o["seen"]["answer"]["detail"] for o in evidence["observations"] if o["seen"]["kind"] == "tls-survey")
    return {v["version"] for v in survey["versions"] if v["standing"] == "offered"}


def sslyze(command, nginx, relay, folder):
    out = folder / "sslyze.json"
    words = [command, "--certinfo", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--elliptic_curves", "--resum",
             "--reneg", "--compression", "--early_data", "--ems", "--mozilla_config", "disable", "--certinfo_ca_file", nginx.ca, "--quiet", "--json_out", out, f"{HOST}:{relay.port}{{127.0.0.1}}"]
    done = subprocess.run(words, capture_output=True)
    if not out.exists():
        sys.exit(f"sslyze: {done.stdout.decode()}{done.stderr.decode()}")
    result = json.loads(out.read_text())["server_scan_results"][0]["scan_result"]
    names = {"ssl_3_0_cipher_suites": "SSLv3", "tls_1_0_cipher_suites": "TLSv1.0", "tls_1_1_cipher_suites": "TLSv1.1",
             "tls_1_2_cipher_suites": "TLSv1.2", "tls_1_3_cipher_suites": "TLSv1.3"}
    return {name for key, name in names.items() if (result[key]["result"] or {}).get("accepted_cipher_suites")}


def testssl(_, nginx, relay, folder):
    out = folder / f"testssl-{relay.port}.json"
    # Protocols, cipher categories, every cipher, forward secrecy, server defaults (certificate, resumption), vulnerabilities
    # that the others look at too: renegotiation and compression.
    words = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "-n", "none", "--ip", "127.0.0.1", "--jsonfile", out,
             "-p", "-s", "-e", "-f", "-S", "-R", "-C", f"{HOST}:{relay.port}"]
    subprocess.run(words, capture_output=True)
    found = {f["id"]: f["finding"] for f in json.loads(out.read_text())}
    names = {"SSLv3": "SSLv3", "TLS1": "TLSv1.0", "TLS1_1": "TLSv1.1", "TLS1_2": "TLSv1.2", "TLS1_3": "TLSv1.3"}
    return {name for key, name in names.items() if found[key].startswith("offered")}


def run(binary, sslyze_command, nginx, folder, options):
    scanners = {"landfall": (landfall, binary), "sslyze": (sslyze, sslyze_command), "testssl.sh": (testssl, None)}
    times, connections, found = {n: [] for n in scanners}, {n: [] for n in scanners}, {}
    # File caches are warm for everybody before the first round counts.
    relay = Relay(nginx.port)
    landfall(binary, nginx, relay, folder)
    sslyze(sslyze_command, nginx, relay, folder)
    relay.close()
    for round_ in range(options.rounds):
        order = list(scanners)
        order = order[round_ % len(order):] + order[:round_ % len(order)]
        for name in order:
            if name == "testssl.sh" and round_ >= options.testssl_rounds:
                continue
            scan, command = scanners[name]
            relay = Relay(nginx.port)
            began = time.perf_counter()
            versions = scan(command, nginx, relay, folder)
            times[name].append(time.perf_counter() - began)
            connections[name].append(relay.count)
            relay.close()
            # A fast scan that saw something else would be worth nothing.
            for other, theirs in found.items():
                if versions != theirs:
                    sys.exit(f"{name} found {sorted(versions)}, {other} {sorted(theirs)}")
            found[name] = versions
    print(f"machine: {os.cpu_count()} cores; nginx with Mozilla's intermediate profile on loopback; medians of wall time")
    ours = statistics.median(times["landfall"])
    for name in scanners:
        if not times[name]:
            continue
        middle = statistics.median(times[name])
        print(f"{name:11} {middle * 1000:9.0f} ms  (min {min(times[name]) * 1000:.0f}, max {max(times[name]) * 1000:.0f}, {len(times[name])} runs)"
              f"  {statistics.median(connections[name]):5.0f} connections  versions {', '.join(sorted(found[name]))}")
    for name, least in (("sslyze", 10), ("testssl.sh", 50)):
        if times[name]:
            print(f"{name} / landfall: {statistics.median(times[name]) / ours:.1f}   [at least {least}]")


if __name__ == "__main__":
    main()
