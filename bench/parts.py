#!/usr/bin/env python3
"""Counts what one picture costs in the gateway alone: instructions and allocations by callgrind, system calls by strace.

    GATEWAY=target/release/rembg-gateway bench/parts.py [--size 1024] [--connections 32] [--pictures 2000] [--store redis|sqlite]

Counts hardly depend on what else the machine does, so two versions can be compared on a busy one. The binary needs its symbols:
build it with CARGO_PROFILE_RELEASE_STRIP=none and CARGO_PROFILE_RELEASE_DEBUG=line-tables-only. Prints the most costly functions,
each with what it calls and alone; --out keeps callgrind's file. valgrind and strace come from Debian.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
from typing import NamedTuple

import peers
from rig import PROXY, Picture, Rig, say, wrk

ALLOCATING = re.compile(r"^(malloc|calloc|realloc|posix_memalign|aligned_alloc)$")


class Wanted(NamedTuple):
    """What is counted: requests with pictures of `size` bytes; with `refused`, with a wrong key."""

    size: int
    connections: int
    seconds: float
    refused: bool


def found():
    return shutil.which("valgrind") and shutil.which("strace")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="of a picture, in bytes")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=12, help="of each run of load")
    parser.add_argument("--store", choices=["redis", "sqlite"], default="redis")
    parser.add_argument("--refused", action="store_true", help="send a wrong key instead: the cost of a 401")
    parser.add_argument("--lines", type=int, default=60, help="of each table of functions")
    parser.add_argument("--out", help="keep callgrind's file under this name")
    return parser.parse_args()


def under(kind, prefix):
    """The same peer, started under another program."""

    class Watched(kind):
        def serve(self):
            command = [*prefix(self), self.program, "serve", "--config", self.config]
            return self.rig.start(command, PROXY, TMPDIR=str(self.folder))

    return Watched


def load(rig, peer, wanted, seconds):
    picture = Picture(rig.folder, wanted.size)
    key = "wrong_key_000000" if wanted.refused else peer.key
    said = wrk(peer.url(), seconds, wanted.connections, BODY=picture.file, BOUNDARY=picture.boundary, KEY=key)
    return max(1, said["n"])


def control(peer, *words):
    # It finds the process by a pipe in the folder for temporary files.
    environment = {**os.environ, "TMPDIR": str(peer.folder)}
    subprocess.run(["callgrind_control", *words, str(peer.process.pid)], check=True, capture_output=True, env=environment)


def tables(file):
    """Instructions by function: with what it calls, and alone; and how often each allocating function was called."""
    both = []
    for inclusive in ("yes", "no"):
        command = ["callgrind_annotate", f"--inclusive={inclusive}", "--threshold=100", "--auto=no", "--show-percs=no", file]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        costs = collections.Counter()
        for line in text.splitlines():
            found = re.match(r"\s*([\d,]+)\s+(?:\S+?:)?(.+?)(?: \[.*\])?$", line)
            if found and not line.rstrip().endswith("PROGRAM TOTALS"):
                costs[found[2]] = max(costs[found[2]], int(found[1].replace(",", "")))
        both.append(costs)
    return both


def calls_of(file):
    """How often each function was called."""
    names, calls, callee = {}, collections.Counter(), None
    for line in open(file):
        found = re.match(r"(c?fn)=\((\d+)\)(?: (.*))?", line)
        if found:
            if found[3]:
                names[found[2]] = found[3].strip()
            callee = names.get(found[2]) if found[1] == "cfn" else callee
        elif line.startswith("calls=") and callee:
            calls[callee] += int(line[6:].split()[0])
    return calls


def short(name):
    return re.sub(r"::h[0-9a-f]{16}", "", name.replace("'2", ""))[:150]


def callgrind(rig, kind, wanted):
    """Requests, and callgrind's file about them."""
    out = rig.folder / "callgrind.out"
    kind = under(kind, lambda _: ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"])
    peer = kind(rig).begin()
    load(rig, peer, wanted, 2)
    control(peer, "-i", "on")
    count = load(rig, peer, wanted, wanted.seconds)
    control(peer, "-i", "off")
    peer.end()
    return count, max(rig.folder.glob("callgrind.out*"), key=lambda one: one.stat().st_size)


def strace(rig, kind, wanted):
    """Requests, and how often each system call was made. Those of the start are among them."""
    out = rig.folder / "strace.out"
    peer = under(kind, lambda _: ["strace", "-f", "-c", "-S", "calls", "-U", "calls,name", "-o", out])(rig).begin()
    count = load(rig, peer, wanted, wanted.seconds / 3)
    peer.end()
    found = (re.match(r"\s*(\d+)\s+(\w+)$", line) for line in out.read_text().splitlines())
    return count, {line[2]: int(line[1]) for line in found if line and line[2] != "total"}


def allocations(calls):
    return sum(times for name, times in calls.items() if ALLOCATING.match(name))


def counted(rig, kind, wanted):
    """Allocations and system calls of one request."""
    count, file = callgrind(rig, kind, wanted)
    found = {"allocations": allocations(calls_of(file)) / count}
    for old in rig.folder.glob("callgrind.out*"):
        old.unlink()
    count, calls = strace(rig, kind, wanted)
    return {**found, "calls": sum(calls.values()) / count}


def main():
    options = arguments()
    wanted = Wanted(options.size, options.connections, options.seconds, options.refused)
    kind = peers.OursOnRedis if options.store == "redis" else peers.OursOnSqlite
    here, rig = os.getcwd(), Rig()
    say("callgrind takes a while")
    count, file = callgrind(rig, kind, wanted)
    inclusive, alone = tables(file)
    calls, total = calls_of(file), sum(alone.values())
    print(f"{count} requests of {wanted.size} bytes, {wanted.connections} connections")
    print(f"instructions each: {total / count:,.0f} (a large memcpy counts by its bytes)")
    print(f"allocations each: {allocations(calls) / count:.1f}")
    for words, costs in (("with what they call", inclusive), ("alone", alone)):
        print(f"\ninstructions of functions, {words}: each request, share, calls each request")
        for name, cost in costs.most_common(options.lines):
            print(f"{cost / count:10,.0f} {cost / total:6.1%} {calls.get(name, 0) / count:8.2f}  {short(name)}")
    if options.out:
        shutil.move(file, os.path.join(here, options.out))
    count, calls = strace(rig, kind, wanted)
    print(f"\nsystem calls each ({count} requests; the start's are among them): {sum(calls.values()) / count:.2f}")
    for name, times in calls.items():
        if times / count >= 0.02:
            print(f"{times / count:8.2f}  {name}")


if __name__ == "__main__":
    main()
