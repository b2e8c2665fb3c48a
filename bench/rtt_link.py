"""A link with real latency between two network namespaces.

Every packet (the SYN included) waits half the round-trip time in each direction. The kernel's own delay queue (netem) is
missing from many containers and virtual machines, so the two ends are TUN devices and this process carries the packets.
Needs root, iproute2 and /dev/net/tun.
"""
import contextlib
import fcntl
import heapq
import os
import select
import struct
import subprocess
import threading
import time

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000

NEAR, FAR = "lf-bench-near", "lf-bench-far"
NEAR_ADDRESS, FAR_ADDRESS = "10.78.0.1", "10.78.0.2"


def _sh(*words):
    subprocess.run(words, check=True)


def _tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def _carry(ends, delay, stop):
    """Moves packets from each end to the other, `delay` seconds later, until the pipe `stop` becomes readable."""
    waiting, order = [], 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(waiting)
            with contextlib.suppress(OSError):
                os.write(to, packet)
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([*ends, stop], [], [], timeout)
        if stop in ready:
            return
        for fd in ready:
            to = ends[1] if fd == ends[0] else ends[0]
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(fd, 65535)
                    order += 1
                    heapq.heappush(waiting, (time.monotonic() + delay, order, to, packet))


def in_near(*words):
    return ["ip", "netns", "exec", NEAR, *words]


def in_far(*words):
    return ["ip", "netns", "exec", FAR, *words]


@contextlib.contextmanager
def link(rtt_ms):
    """Both namespaces up, joined by a link of `rtt_ms`; both gone afterwards."""
    for name in (NEAR, FAR):
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
    ends = []
    try:
        for name, device, address in ((NEAR, "lfb-n", NEAR_ADDRESS), (FAR, "lfb-f", FAR_ADDRESS)):
            ends.append(_tun(device))
            _sh("ip", "netns", "add", name)
            _sh("ip", "link", "set", device, "netns", name)
            _sh("ip", "-n", name, "link", "set", "lo", "up")
            _sh("ip", "-n", name, "addr", "add", f"{address}/24", "dev", device)
            _sh("ip", "-n", name, "link", "set", device, "up", "txqueuelen", "10000")
        stop, stopper = os.pipe()
        carrier = threading.Thread(target=_carry, args=(ends, rtt_ms / 2000, stop), daemon=True)
        carrier.start()
        try:
            yield
        finally:
            os.write(stopper, b".")
            carrier.join()
    finally:
        for name in (NEAR, FAR):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)
        for fd in ends:
            os.close(fd)
