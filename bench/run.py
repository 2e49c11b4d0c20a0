#!/usr/bin/env python3
"""Measures the gateway beside nginx, nginx with Lua and Redis, Envoy, HAProxy, Caddy and LiteLLM. Loopback only.

    bench/run.py            everything, in about half an hour
    bench/run.py --quick    one short round of the essentials, in about two minutes

Each proxy has one worker and the first core for itself; load, backend and Redis share the others. Peers take turns. What is
not installed is left out and named. Prints Markdown; with --write it replaces the tables in docs/performance.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

import cases
import peers
import report
from rig import ROOT, Rig, say

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- tables: bench/run.py --write -->\n", "<!-- end of tables -->\n"
KIB = 1024
PARTS = ["pictures", "refusals", "fixed_rate", "litellm", "growth", "memory", "starts", "counts"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true", help="replace the tables in docs/performance.md")
    parser.add_argument("--only", default="", help="names of peers, separated by commas")
    parser.add_argument("--parts", default="", help=", ".join(PARTS) + "; without it all")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of one run of load")
    parser.add_argument("--json", help="write the numbers to this file too")
    options = parser.parse_args()
    quick = options.quick
    options.rounds = options.rounds or (1 if quick else 3)
    options.seconds = options.seconds or (1.5 if quick else 4)
    options.sizes = [KIB, 64 * KIB] if quick else [KIB, 64 * KIB, 4 * KIB * KIB]
    options.connections = [1, 32] if quick else [1, 32, 256]
    options.accounts = [1, 1000] if quick else [1, 1000, 100_000, 1_000_000]
    options.memory_pictures, options.memory_seconds = (30_000, 8) if quick else (300_000, 180)
    options.only = [name.strip() for name in options.only.split(",") if name.strip()]
    parts = options.parts.split(",") if options.parts else PARTS
    options.parts = [part for part in parts if not (quick and not options.parts and part == "litellm")]
    options.day, options.load = time.strftime("%Y-%m-%d", time.gmtime()), "%.1f" % os.getloadavg()[0]
    return options


def measure(rig, kinds, options):
    """What could be measured, by part. A part that fails is named and left out: it must not cost the others."""
    results = {}
    parts = {
        "pictures": lambda: cases.pictures(rig, kinds, options),
        "refusals": lambda: cases.refusals(rig, kinds, options),
        "fixed_rate": lambda: cases.fixed_rate(rig, kinds, options, most_of_nginx(results.get("pictures", {}))),
        "starts": lambda: cases.starts(rig, kinds),
        "counts": lambda: cases.counts(rig, kinds, options),
        "memory": lambda: cases.memory(rig, kinds, options),
        "growth": lambda: cases.growth(rig, kinds, options),
        "litellm": lambda: cases.litellm(rig, options) if peers.Litellm.found() else None,
    }
    for name, part in parts.items():
        if name not in options.parts:
            continue
        try:
            results[name] = part()
        except (Exception, KeyboardInterrupt) as error:
            say(f"{name} is left out: {error!r}")
    return results


def most_of_nginx(pictures):
    """{size: the rate that nginx reached at 32 connections}."""
    return {size: row["nginx"]["rate"] for (size, connections), row in pictures.items()
            if connections == 32 and size <= 64 * KIB and "nginx" in row}


def versions(kinds):
    named = {kind.name: kind.version() for kind in kinds if not issubclass(kind, (peers.NginxLua, peers.Ours))}
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout
    named["Redis"] = redis.split("v=", 1)[1].split()[0]
    named["rembg-gateway"] = commit.strip() or "?"
    return {**named, "Python": platform.python_version()}


def write(text):
    page = PAGE.read_text()
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(before + BEGIN + "\n" + text + "\n\n" + END + rest.split(END, 1)[1])
    say(f"the tables are in {PAGE}")


def main():
    options = arguments()
    if not peers.GATEWAY.exists():
        sys.exit(f"{peers.GATEWAY} is missing: cargo build --locked --profile dist")
    kinds, absent = peers.installed(peers.PROXIES, options.only)
    if "litellm" in options.parts and not peers.Litellm.found():
        absent.append(peers.Litellm.name)
    rig = Rig()
    results = measure(rig, kinds, options)
    options.load_after = "%.1f" % os.getloadavg()[0]
    text = report.whole(results, options, versions(kinds), absent)
    print(text)
    if options.json:
        flat = {**results, "pictures": {f"{s}/{c}": row for (s, c), row in results.get("pictures", {}).items()}}
        with open(options.json, "w") as file:
            json.dump(flat, file, indent=1)
    if options.write:
        write(text)


if __name__ == "__main__":
    main()
