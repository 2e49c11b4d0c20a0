#!/usr/bin/env python3
"""What the usage page's two questions cost in a store of a million accounts, against a store of a few.

    bench/usage.py [GATEWAY [ACCOUNTS]]        target/release/rembg-gateway and 1,000,000 unless given

Each store is an SQLite file in a temporary folder. Every account has a key, two months and two billing windows of
counters; those that are asked about have two years of windows. Each question is asked a thousand times, one after the
other, on one connection. Ends with 1 if the large store is more than three times as slow in the middle.
"""

import http.client
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

MONTH = 30 * 86_400
# A key may ask sixty times at once, so that twice twenty keys are asked fifty times each.
ASKING, TIMES, WINDOWS = 20, 50, 24
MOST = 3.0

CONFIG = """
[listen]
public = "127.0.0.1:0"
admin = "127.0.0.1:0"
[store]
url = "sqlite:{folder}/gateway.db"
[backend]
kind = "rmbg"
urls = ["http://127.0.0.1:9/rmbg"]
[log]
level = "info"
format = "json"
"""

QUESTIONS = {"the report": "expand=billing_cycle", "the list": "listBillingCycles=1"}


class Gateway:
    def __init__(self, program, folder, accounts):
        self.program, self.folder = program, folder
        (folder / "gateway.toml").write_text(CONFIG.format(folder=folder))
        # In the middle of all others, by their names.
        uids = [f"user-{accounts // 2:07}-{number:02}" for number in range(2 * ASKING)]
        for uid in uids:
            self.verb("user", "add", uid)
        self.keys = [json.loads(self.verb("key", "create", uid, "--json"))["key"] for uid in uids]
        self.fill(accounts, uids)
        serve = [program, "serve", "--config", folder / "gateway.toml"]
        self.process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True)
        self.port = self.public_port()

    def verb(self, *words):
        command = [self.program, *words, "--config", self.folder / "gateway.toml"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def fill(self, accounts, uids):
        db = sqlite3.connect(self.folder / "gateway.db")
        now = int(time.time())
        db.execute("CREATE TEMP TABLE everybody AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                   " SELECT printf('user-%07d', i) AS uid FROM n", (accounts - 1,))
        db.execute("INSERT INTO accounts (uid, membership, credits, email_verified, billing_period_start, billing_period_end)"
                   " SELECT uid, 'Free', 50, 1, ?1, ?2 FROM everybody", (now - 86_400, now - 86_400 + MONTH))
        db.execute("INSERT INTO api_keys (hash, id, uid, name, hint, created, networks)"
                   " SELECT 'h-' || uid, 'i-' || uid, uid, '', '', ?, '' FROM everybody", (now,))
        year, month = time.gmtime(now)[:2]
        periods = [f"{year}:{month}", "2020:1", f"cycle:{now - 86_400}", f"cycle:{now - 86_400 - MONTH}"]
        for period in sorted(periods):
            db.execute("INSERT INTO counters (name, value) SELECT 'user:' || uid || ':api_usage:' || ?, 7 FROM everybody", (period,))
        for uid in uids:
            start = now - 86_400
            db.execute("UPDATE accounts SET billing_period_start = ?, billing_period_end = ? WHERE uid = ?", (start, start + MONTH, uid))
            names = [f"user:{uid}:{channel}_usage:cycle:{start - back * MONTH}" for back in range(WINDOWS) for channel in ("app", "api")]
            db.executemany("INSERT INTO counters (name, value) VALUES (?, 7)", [(name,) for name in names])
        db.commit()
        db.close()

    def public_port(self):
        for line in self.process.stderr:
            if "serving" in line:
                said = json.loads(line)
                # Whoever stops reading the log stops the gateway.
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return int(str(said.get("fields", said)["public"]).rsplit(":", 1)[1])
        raise SystemExit("the gateway did not start")

    def times(self, query, keys):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        times = []
        for key in keys:
            for _ in range(TIMES):
                begun = time.perf_counter()
                connection.request("GET", f"/api/membership-usage?{query}", headers={"x-api-key": key})
                answer = connection.getresponse()
                body = answer.read()
                times.append(time.perf_counter() - begun)
                assert answer.status == 200, body
        listed = json.loads(body).get("billingCycles")
        assert listed is None or len(listed) == WINDOWS, listed
        return sorted(times)


def measured(program, accounts):
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        gateway = Gateway(program, pathlib.Path(folder), accounts)
        size = os.path.getsize(f"{folder}/gateway.db") / (1 << 20)
        print(f"{accounts:,} accounts: {size:,.0f} MiB, made in {time.monotonic() - begun:.0f} s")
        try:
            keys = {name: gateway.keys[at * ASKING : (at + 1) * ASKING] for at, name in enumerate(QUESTIONS)}
            return {name: gateway.times(query, keys[name]) for name, query in QUESTIONS.items()}
        finally:
            gateway.process.terminate()
            gateway.process.wait()


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/rembg-gateway")
    accounts = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    small, large = measured(program, 10), measured(program, accounts)
    kept = True
    for name in QUESTIONS:
        for words, share in (("half", 0.5), ("99 of 100", 0.99)):
            one, other = (times[int(len(times) * share)] for times in (small[name], large[name]))
            print(f"  {name:10} {words:9} within {one * 1e3:6.2f} ms (few), {other * 1e3:6.2f} ms (many): {other / one:.2f} times")
            kept = kept and (share != 0.5 or other / one <= MOST)
    print("promises kept" if kept else "a promise is broken")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
