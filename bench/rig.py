"""Starts programs on loopback, measures what they use, and ends them: everything that is not about one peer or one case."""

import atexit
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
KEY = "bench_key_%016d"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
# The proxy has the first core for itself; load, backend and Redis share the others.
CORES = sorted(os.sched_getaffinity(0))
PROXY, REST = (CORES[:1], CORES[1:]) if len(CORES) > 1 else (CORES, CORES)


def say(words):
    print(words, file=sys.stderr, flush=True)


def median(rows, name):
    return statistics.median(row[name] for row in rows)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rig:
    """A working folder, and every process that was started in it. All of them end with this one."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rembg-gateway-bench-"))
        self.processes = []
        atexit.register(self.end)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.backend_port, self.redis_port = free_port(), free_port()
        self.backend = self.start([CACHE / "stub", self.backend_port], REST)
        # Durable as the documentation recommends. A rewrite in the middle would count as somebody's work.
        options = "--bind 127.0.0.1 --save '' --appendonly yes --appendfsync everysec --auto-aof-rewrite-percentage 0"
        options = [word.strip("'") for word in options.split()]
        self.redis = self.start(["redis-server", "--port", self.redis_port, "--dir", self.folder, *options], REST)
        wait_for_port(self.backend_port)
        wait_for_port(self.redis_port)

    def start(self, command, cores, **environment):
        command = [str(word) for word in command]
        log = open(self.folder / f"{pathlib.Path(command[0]).name}.log", "ab")
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, cores)), *command],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **environment},
        )
        self.processes.append(process)
        return process

    def stop(self, process):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, sign)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        if process in self.processes:
            self.processes.remove(process)

    def end(self):
        for process in list(self.processes):
            self.stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask_redis(self, *words):
        return self.ask_redis_all([words])[0]

    def ask_redis_all(self, commands):
        """Many commands in one go, each a list of words; answers as Python values."""
        with socket.create_connection(("127.0.0.1", self.redis_port)) as connection:
            sent = []
            for words in commands:
                words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
                sent.append(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
            connection.sendall(b"".join(sent))
            stream = connection.makefile("rb")
            return [redis_answer(stream) for _ in sent]

    def redis_info(self, section):
        lines = self.ask_redis("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


def redis_answer(stream):
    line = stream.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [redis_answer(stream) for _ in range(int(rest))]
    if kind == b"-":
        raise RuntimeError(rest.decode())
    return int(rest) if kind == b":" else rest


def wait_for_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nobody listens on port {port}")


def family(pid):
    """A process and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_of(int(name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    found, ahead = [], [pid]
    while ahead:
        found.append(ahead.pop())
        ahead += children.get(found[-1], [])
    return found


def stat_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def cpu(process):
    """Microseconds of user and system time of a process and its children."""
    fields = [stat_of(pid) for pid in family(process.pid)]
    return sum(int(each[11]) + int(each[12]) for each in fields if each) * 1e6 / TICKS


def resident(process):
    """MiB of memory now."""
    fields = [stat_of(pid) for pid in family(process.pid)]
    return sum(int(each[21]) for each in fields if each) * PAGE / MIB


class Picture:
    """A request with a picture of a wanted size: a PNG's head that says 640 × 480, noise, and two fields."""

    def __init__(self, folder, size):
        chance = random.Random(size)

        def chunk(name, data):
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

        header = struct.pack(">IIBBBBB", 640, 480, 8, 6, 0, 0, 0)
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", chance.randbytes(size)) + chunk(b"IEND", b"")
        self.size, self.boundary = size, f"----bench{chance.getrandbits(64):016x}"
        part = f'--{self.boundary}\r\nContent-Disposition: form-data; name="'
        body = f'{part}image"; filename="in.png"\r\nContent-Type: image/png\r\n\r\n'.encode() + png
        for name, value in (("format", "webp"), ("w", "800")):
            body += f'\r\n{part}{name}"\r\n\r\n{value}'.encode()
        self.body = body + f"\r\n--{self.boundary}--\r\n".encode()
        self.answer = 65536 if len(self.body) > 8192 else 1024
        self.file = folder / f"picture-{size}"
        self.file.write_bytes(self.body)

    def headers(self, key):
        return {"x-api-key": key, "Content-Type": f"multipart/form-data; boundary={self.boundary}"}

    def send(self, port, key):
        """One request by hand: the whole body must reach the backend, and the whole answer must come back."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/rmbg", self.body, self.headers(key))
        answer = connection.getresponse()
        got, seen = answer.read(), answer.getheader("x-got")
        if answer.status != 200 or len(got) != self.answer or (seen and abs(int(seen) - len(self.body)) > 4096):
            raise RuntimeError(f"{answer.status}, {len(got)} bytes; the backend saw {seen} of {len(self.body)}: {got[:200]}")

    def request_file(self, folder, key):
        """The whole request as bytes, for `fixed_rate`."""
        head = "POST /rmbg HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers(key).items())
        file = folder / f"request-{self.size}"
        file.write_bytes(f"{head}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body)
        return file


def wrk(url, seconds, connections, **environment):
    """Closed-loop load. Times in milliseconds."""
    command = ["taskset", "-c", ",".join(map(str, REST)), "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", "20s", "-s", str(ROOT / "bench/load/wrk.lua"), url]
    environment = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=seconds + 60)
    for line in done.stdout.splitlines():
        if line.startswith("JSON "):
            return json.loads(line[5:])
    raise RuntimeError(f"wrk said: {done.stdout} {done.stderr}")


def steady(port, connections, rate, seconds, request_file):
    """Load at a fixed rate. Times in milliseconds, from the moment at which each request was due."""
    command = ["taskset", "-c", ",".join(map(str, REST)), CACHE / "fixed_rate", port, connections, rate, seconds, request_file]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 60, check=True)
    return json.loads(done.stdout)
