#!/usr/bin/env python3
"""What slow and idle clients cost in memory, and what others notice of them.

    bench/memory.py [GATEWAY]        GATEWAY is target/release/rembg-gateway unless given

Each time on a gateway of its own, on loopback, with a store in a temporary folder and a backend that answers at once: 1,000
clients do one request each over TLS and stay connected, and 1,000 without TLS. Then 200 clients each announce an upload
of 50 MB and send a part of it over ten seconds, while another one sends small pictures over and over: first 4 MB in large
pieces, then almost 1 MB, which is what a body may have in memory, in pieces of a little more than 4 KiB, the size that
costs the most beside the bytes. Ends with 1 if a promise is broken.
"""

import asyncio
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MIB = 1 << 20
UPLOADS, ANNOUNCED, SECONDS = 200, 50 * MIB, 10
# Bytes of a piece, and how many of them.
LARGE, SMALL = (100_000, 40), (4_200, 240)
IDLE = 1000
BUDGET = 256 * MIB
MOST_BESIDE_BUDGET, MOST_IDLE = 64 * MIB, 32 * MIB

CONFIG = """
[listen]
public = "127.0.0.1:0"
plain = "127.0.0.1:0"
admin = "127.0.0.1:0"
tls_cert = "{folder}/cert.pem"
tls_key = "{folder}/key.pem"
[store]
url = "sqlite:{folder}/gateway.db"
[limits]
memory_budget = "256 MiB"
[backend]
kind = "rmbg"
urls = ["http://127.0.0.1:{backend}/rmbg"]
[plans.Free]
credits = 100000
burst = {{ per_minute = 600000, size = 100000 }}
[log]
format = "json"
"""


class Gateway:
    def __init__(self, program, folder, backend):
        self.program, self.config = program, folder / "gateway.toml"
        self.config.write_text(CONFIG.format(folder=folder, backend=backend))
        certify = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost".split()
        subprocess.run(
            [*certify, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL
        )
        self.verb("user", "add", "bench", "--plan", "Free")
        self.key = json.loads(self.verb("key", "create", "bench", "--json"))["key"]
        self.process = subprocess.Popen([program, "serve", "--config", self.config], stderr=subprocess.PIPE, text=True)
        self.tls, self.plain, self.admin = self.ports()

    def verb(self, *words):
        return subprocess.run(
            [self.program, *words, "--config", self.config], check=True, capture_output=True, text=True
        ).stdout

    def ports(self):
        for line in self.process.stderr:
            if "serving" in line:
                said = json.loads(line)
                said = said.get("fields", said)
                # Whoever stops reading the log stops the gateway.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return [int(str(said[name]).rsplit(":", 1)[1]) for name in ("public", "plain", "admin")]
        raise SystemExit("the gateway did not start")

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise SystemExit("the gateway is gone")

    def bodies_in(self, kind):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f'rgw_body_budget_used_bytes{{kind="{kind}"}}'):
                    return int(float(line.split()[-1]))
        raise SystemExit("there is no such metric")


BOUNDARY = "bench"
KIND = f"content-type: multipart/form-data; boundary={BOUNDARY}\r\n"
PART = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'.encode()
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000004000000040806000000")
END = f"\r\n--{BOUNDARY}--\r\n".encode()


async def exchange(reader):
    """The status of the next answer, or the next request's line, once its body has been read as well."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = [line for line in head if line.startswith(b"content-length: ")]
    await reader.readexactly(int(length[0].split()[1]) if length else 0)
    return head[0]


async def backend(reader, writer):
    try:
        while await exchange(reader):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 29\r\n\r\n" + PNG)
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()


async def upload(gateway, start, size, pieces):
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.plain)
    head = f"POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {gateway.key}\r\ncontent-length: {ANNOUNCED}\r\n{KIND}\r\n"
    writer.write(head.encode() + PART + PNG)
    for number in range(pieces):
        writer.write(bytes(size))
        await writer.drain()
        await asyncio.sleep(max(0, start + SECONDS * (number + 1) / pieces - time.monotonic()))
    return writer


async def ask(gateway, times):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.plain)
    body = PART + PNG + bytes(20_000) + END
    head = f"POST /rmbg HTTP/1.1\r\nhost: x\r\nx-api-key: {gateway.key}\r\ncontent-length: {len(body)}\r\n{KIND}\r\n"
    while True:
        begun = time.monotonic()
        writer.write(head.encode() + body)
        status = await exchange(reader)
        assert status.startswith(b"http/1.1 200"), status
        times.append(time.monotonic() - begun)
        await asyncio.sleep(0.02)


async def slow_uploads(gateway, size, pieces):
    before, times, most, in_memory, in_files = gateway.resident(), [], 0, 0, 0
    asking = asyncio.create_task(ask(gateway, times))
    start = time.monotonic()
    uploads = [asyncio.create_task(upload(gateway, start, size, pieces)) for _ in range(UPLOADS)]
    while not all(one.done() for one in uploads):
        await asyncio.sleep(0.5)
        most = max(most, gateway.resident())
        memory, files = await asyncio.gather(*(asyncio.to_thread(gateway.bodies_in, kind) for kind in ("memory", "disk")))
        in_memory, in_files = max(in_memory, memory), max(in_files, files)
    assert not asking.done(), asking.result()
    asking.cancel()
    for one in uploads:
        one.result().close()
    times.sort()
    print(f"{UPLOADS} uploads of {ANNOUNCED // MIB} MiB, of each {pieces} pieces of {size} bytes sent within {SECONDS} s:")
    print(f"  resident before / at most     {before / MIB:7.1f} / {most / MIB:.1f} MiB")
    print(f"  bodies in memory / in files   {in_memory / MIB:7.1f} / {in_files / MIB:.1f} MiB")
    print(f"  resident beside the budget    {(most - BUDGET) / MIB:7.1f} MiB (promised: {MOST_BESIDE_BUDGET // MIB})")
    print(f"  resident beside the bodies    {(most - in_memory) / MIB:7.1f} MiB")
    print(f"  pictures meanwhile, half / all{times[len(times) // 2] * 1e3:7.1f} / {times[-1] * 1e3:.1f} ms, {len(times)} times")
    return most <= BUDGET + MOST_BESIDE_BUDGET


async def idle(gateway, port, security, name):
    async def connect():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=security)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"ok\n")
        return writer

    before = gateway.resident()
    begun = time.monotonic()
    connections = []
    for _ in range(IDLE // 50):
        connections += await asyncio.gather(*(connect() for _ in range(50)))
    cost = gateway.resident() - before
    took = time.monotonic() - begun
    print(f"{IDLE} idle connections {name}: {cost / MIB:.1f} MiB (promised: {MOST_IDLE // MIB}), made in {took:.1f} s")
    for writer in connections:
        writer.transport.abort()
    return cost <= MOST_IDLE


async def measure(gateway, listening, promise):
    # Kept, or it would end.
    _server = await asyncio.start_server(backend, sock=listening)
    return await promise(gateway)


def kept(program, promise):
    """Each has a gateway of its own: what others leave behind in the allocator would hide a part of the cost."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listening:
        gateway = Gateway(program, pathlib.Path(folder), listening.getsockname()[1])
        try:
            return asyncio.run(asyncio.wait_for(measure(gateway, listening, promise), 120))
        finally:
            gateway.process.terminate()
            gateway.process.wait()


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/rembg-gateway")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    promises = [
        lambda gateway: idle(gateway, gateway.tls, trusting, "with TLS"),
        lambda gateway: idle(gateway, gateway.plain, None, "without TLS"),
        lambda gateway: slow_uploads(gateway, *LARGE),
        lambda gateway: slow_uploads(gateway, *SMALL),
    ]
    all_kept = all([kept(program, promise) for promise in promises])
    print("promises kept" if all_kept else "a promise is broken")
    return 0 if all_kept else 1


if __name__ == "__main__":
    sys.exit(main())
