"""Fills a store with copies of one account, faster than the command line makes them. Nothing is assumed about the layout but
that the account's id, its key's public id and the key's hash stand in its records."""

import hashlib
import hmac
import re
import sqlite3

from peers import ACCOUNT, PEPPER, OursOnRedis
from rig import KEY, MIB

MANY = 1000
KEY_ID = re.compile(r"key_\w{16}")


def of(peer):
    return RedisStore(peer) if isinstance(peer, OursOnRedis) else SqliteStore(peer)


def key_hash(number):
    return hmac.new(PEPPER.encode(), (KEY % number).encode(), hashlib.sha256).hexdigest()


def copied(text, number):
    """A record of the first account as the same one of a copy."""
    text = text.replace(ACCOUNT, f"{ACCOUNT}-{number}").replace(key_hash(0), key_hash(number))
    return KEY_ID.sub(f"key_{number:016d}", text)


class RedisStore:
    def __init__(self, peer):
        self.rig, self.count, self.records = peer.rig, 1, []
        ask = self.rig.ask_redis
        (key_id,) = ask("HKEYS", f"user:{ACCOUNT}:keys")
        for name in ask("KEYS", "*"):
            if any(word in name for word in (ACCOUNT.encode(), key_hash(0).encode(), key_id)):
                kind = ask("TYPE", name)
                if kind == b"string":
                    self.records.append(("SET", name, ask("GET", name)))
                elif kind == b"hash":
                    self.records.append(("HSET", name, *ask("HGETALL", name)))
        self.records = [[word if isinstance(word, str) else word.decode() for word in record] for record in self.records]

    def grow_to(self, count):
        while self.count < count:
            until = min(count, self.count + MANY)
            self.rig.ask_redis_all(
                [copied(word, number) for word in record] for number in range(self.count, until) for record in self.records
            )
            self.count = until

    def size(self):
        return int(self.rig.redis_info("memory")["used_memory"]) / MIB


class SqliteStore:
    def __init__(self, peer):
        self.file, self.count = peer.folder / "gateway.db", 1

    def grow_to(self, count):
        store = sqlite3.connect(self.file, timeout=60)
        for table in ("accounts", "api_keys"):
            (first,) = store.execute(f"SELECT * FROM {table} WHERE uid = ?", (ACCOUNT,)).fetchall()
            rows = (
                [copied(value, number) if isinstance(value, str) else value for value in first]
                for number in range(self.count, count)
            )
            with store:
                store.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(first))})", rows)
        store.close()
        self.count = count

    def size(self):
        return sum(file.stat().st_size for file in self.file.parent.glob("gateway.db*")) / MIB
