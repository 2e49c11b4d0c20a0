"""Who is measured: how each one is configured and started on the same backend, one worker each."""

import os
import pathlib
import re
import shutil
import subprocess

from rig import CACHE, KEY, PROXY, ROOT, free_port, say, wait_for_port

PEPPER = "bench-pepper-0123456789abcdef0123456789"
ACCOUNT = "acme"
MODULES = pathlib.Path("/usr/lib/nginx/modules")
# The environment may name another binary, to compare two versions.
GATEWAY = pathlib.Path(os.environ.get("GATEWAY", ROOT / "target/dist/rembg-gateway"))


class Peer:
    """Something between a client and the backend that listens on `port`."""

    name = program = None
    key = KEY % 0
    # Where a POST, and where a GET, is refused with 401.
    refusal_path = refusal_path_of_get = None

    def __init__(self, rig):
        self.rig, self.port, self.process = rig, free_port(), None
        self.folder = rig.folder / re.sub(r"\W+", "-", f"{self.name}-{self.port}")
        self.folder.mkdir()

    def begin(self):
        self.process = self.launch()
        wait_for_port(self.port, 90)
        return self

    def end(self):
        self.rig.stop(self.process)

    def url(self, path="/rmbg"):
        return f"http://127.0.0.1:{self.port}{path}"

    def configure(self, name, **more):
        text = (ROOT / "bench/peers" / name).read_text()
        values = {"PORT": self.port, "BACKEND": self.rig.backend_port, "REDIS": self.rig.redis_port,
                  "FOLDER": self.folder, "HERE": ROOT / "bench/peers", **more}
        for word, value in values.items():
            text = text.replace(f"@{word}@", str(value))
        file = self.folder / name
        file.write_text(text)
        return file

    @classmethod
    def found(cls):
        return cls.program is not None and (os.path.exists(cls.program) or shutil.which(cls.program))

    ask, said = ["--version"], r"\d+\.\d+[\w.]*"

    @classmethod
    def version(cls):
        answer = subprocess.run([cls.program, *cls.ask], capture_output=True, text=True)
        return re.findall(cls.said, answer.stdout + answer.stderr)[0]


class Nginx(Peer):
    """A plain proxy, bodies buffered whole."""

    name, program, ask = "nginx", "/usr/sbin/nginx", ["-v"]
    refusal_path = refusal_path_of_get = "/no"

    def launch(self):
        return self.rig.start([self.program, "-c", self.configure("nginx.conf")], PROXY)


class NginxLua(Peer):
    """Key, short-term limit, hold and keep in Redis; no form check, no ledger."""

    name, program, ask = "nginx + Lua + Redis", "/usr/sbin/nginx", ["-v"]
    refusal_path = refusal_path_of_get = "/rmbg"

    def launch(self):
        self.rig.ask_redis("HSET", f"key:{self.key}", "account", ACCOUNT)
        return self.rig.start([self.program, "-c", self.configure("nginx-lua.conf")], PROXY)

    @classmethod
    def found(cls):
        libraries = [MODULES / "ngx_http_lua_module.so", pathlib.Path("/usr/share/lua/5.1/nginx/redis.lua")]
        return all(file.exists() for file in libraries)


class Envoy(Peer):
    """A plain proxy, bodies buffered whole."""

    name = "Envoy"
    program = next(CACHE.glob("envoy/lib/python3*/site-packages/envoy/_bin/envoy"), None)
    said = r"/(\d+\.\d+\.\d+)/"

    def launch(self):
        os.chmod(self.program, 0o755)
        options = ["--concurrency", 1, "--disable-hot-restart", "-l", "error"]
        return self.rig.start([self.program, "-c", self.configure("envoy.yaml"), *options], PROXY)


class Haproxy(Peer):
    """A plain proxy, bodies streamed."""

    name, program, ask = "HAProxy", "/usr/sbin/haproxy", ["-v"]

    def launch(self):
        return self.rig.start([self.program, "-W", "-f", self.configure("haproxy.cfg")], PROXY)


class Caddy(Peer):
    """A plain proxy, bodies streamed."""

    name, program, ask = "Caddy", CACHE / "caddy/bin/caddy", ["version"]

    def launch(self):
        command = [self.program, "run", "--adapter", "caddyfile", "--config", self.configure("Caddyfile")]
        return self.rig.start(command, PROXY, GOMAXPROCS="1", HOME=str(self.folder))


class Ours(Peer):
    """The whole job."""

    program = GATEWAY
    refusal_path, refusal_path_of_get = "/rmbg", "/api/membership-usage"

    def launch(self):
        self.admin = free_port()
        self.config = self.configure("gateway.toml", ADMIN=self.admin, STORE=self.store(), PEPPER=PEPPER)
        self.command("user", "add", ACCOUNT, "--plan", "Bench", "--email-verified", "true")
        self.command("key", "import", ACCOUNT, given=self.key)
        return self.serve()

    def serve(self):
        command = [self.program, "serve", "--config", self.config]
        return self.rig.start(command, PROXY, TMPDIR=str(self.folder))

    def command(self, *words, given=""):
        command = [self.program, *words, "--config", self.config]
        done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=self.folder)
        if done.returncode and "already" not in done.stderr + done.stdout:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr}")


class OursOnRedis(Ours):
    name = "rembg-gateway on Redis"

    def store(self):
        return f"redis://127.0.0.1:{self.rig.redis_port}/0"


class OursOnSqlite(Ours):
    name = "rembg-gateway on SQLite"

    def store(self):
        return f"sqlite:{self.folder}/gateway.db"


class Litellm(Peer):
    """A gateway of another field, on its own kind of request: 7 bytes of JSON passed through; master key only, no database."""

    name, program = "LiteLLM", CACHE / "litellm/bin/litellm"
    key = "sk-bench-0123456789abcdef"

    def launch(self):
        command = [self.program, "--config", self.configure("litellm.yaml"), "--port", self.port, "--host", "127.0.0.1"]
        quiet = {"DISABLE_ADMIN_UI": "True", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": self.key}
        return self.rig.start([*command, "--num_workers", 1], PROXY, **quiet)


PROXIES = [Nginx, NginxLua, Envoy, Haproxy, Caddy, OursOnRedis, OursOnSqlite]


def installed(kinds, only):
    """Those that can be measured; the others are named."""
    kinds = [kind for kind in kinds if not only or kind.name in only]
    absent = [kind.name for kind in kinds if not kind.found()]
    for name in absent:
        say(f"{name} is not installed and is left out")
    return [kind for kind in kinds if kind.name not in absent], absent
