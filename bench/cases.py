"""What is measured. Every case returns rows of numbers; `report.py` words them."""

import http.client
import statistics
import time

import accounts
import parts
from peers import Litellm, Nginx, NginxLua, OursOnRedis, OursOnSqlite
from rig import KEY, Picture, cpu, median, resident, say, steady, wrk

KIB = 1024


def load(peer, seconds, connections, path="/rmbg", **environment):
    """One run of closed-loop load on a peer, with what everybody used meanwhile per answered request."""
    rig, begun = peer.rig, time.monotonic()
    aof = int(rig.redis_info("persistence")["aof_current_size"])
    ours, redis = cpu(peer.process), cpu(rig.redis)
    said = wrk(peer.url(path), seconds, connections, **environment)
    used, used_by_redis = cpu(peer.process) - ours, cpu(rig.redis) - redis
    aof = int(rig.redis_info("persistence")["aof_current_size"]) - aof
    count, elapsed = max(1, said["n"]), time.monotonic() - begun
    return {
        "n": said["n"], "rate": said["n"] / said["us"] * 1e6, "cpu": used / count, "busy": used / elapsed / 1e6,
        "redis": used_by_redis / count, "aof": aof / count, "p50": said["p50"], "p99": said["p99"],
        "rss": resident(peer.process), "refused": said["refused"], "broken": said["broken"],
    }


def with_picture(picture, key):
    return {"BODY": picture.file, "BOUNDARY": picture.boundary, "KEY": key}


def settled(rows):
    """One row of medians; errors are added up."""
    row = {name: median(rows, name) for name in rows[0]}
    return {**row, "refused": sum(each["refused"] for each in rows), "broken": sum(each["broken"] for each in rows)}


def rounds(peers, count, measure):
    """Peers take turns, another one first each round, so that what disturbs the machine disturbs all of them."""
    rows = {peer.name: [] for peer in peers}
    for turn in range(count):
        first = turn % len(peers)
        for peer in peers[first:] + peers[:first]:
            rows[peer.name].append(measure(peer))
    return rows


def ratio(rows, base, name):
    """The median of the ratios within each round."""
    return statistics.median(row[name] / other[name] for row, other in zip(rows, base) if other[name])


def pictures(rig, kinds, options):
    """{(size, connections): {peer: row}}, each row with its ratios to nginx."""
    found = {}
    for size in options.sizes:
        picture = Picture(rig.folder, size)
        peers = [kind(rig).begin() for kind in kinds]
        for peer in peers:
            picture.send(peer.port, peer.key)
            wrk(peer.url(), 1, 32, **with_picture(picture, peer.key))
        for connections in options.connections:
            seconds = options.seconds if connections > 1 else options.seconds / 2
            rows = rounds(peers, options.rounds,
                          lambda peer: load(peer, seconds, connections, **with_picture(picture, peer.key)))
            base = rows.get(Nginx.name) or next(iter(rows.values()))
            found[size, connections] = {
                name: {**settled(own), **{f"{key}_ratio": ratio(own, base, key) for key in ("rate", "cpu", "p50")}}
                for name, own in rows.items()
            }
            say(f"pictures of {size // KIB} KiB, {connections} connections: measured")
        for peer in peers:
            peer.end()
    return found


def refusals(rig, kinds, options):
    """{request: {peer: row}}: nginx's `return 401`, and wrong keys for the others."""
    peers = [kind(rig).begin() for kind in kinds if kind.refusal_path]
    requests = {"GET": {"METHOD": "GET"}}
    for size in (KIB, 64 * KIB):
        requests[f"POST of {size // KIB} KiB"] = with_picture(Picture(rig.folder, size), None)
    found = {}
    for name, environment in requests.items():
        environment["KEY"] = "wrong_key_0123456789"
        path = (lambda peer: peer.refusal_path_of_get) if name == "GET" else (lambda peer: peer.refusal_path)
        rows = rounds(peers, options.rounds, lambda peer: load(peer, options.seconds / 2, 32, path(peer), **environment))
        base = rows.get(Nginx.name) or next(iter(rows.values()))
        found[name] = {peer: {**settled(own), "cpu_ratio": ratio(own, base, "cpu")} for peer, own in rows.items()}
    for peer in peers:
        peer.end()
    say("refusals: measured")
    return found


def fixed_rate(rig, kinds, options, most):
    """{size: {peer: row}} at 0.3 of the rate that nginx reached; `most` is {size: rate}."""
    found = {}
    for size, rate in most.items():
        picture, peers = Picture(rig.folder, size), [kind(rig).begin() for kind in kinds]
        file = picture.request_file(rig.folder, KEY % 0)

        def measured(peer):
            return steady(peer.port, 32, round(0.3 * rate), options.seconds, file)

        for peer in peers:
            steady(peer.port, 32, 100, 1, file)
        rows = rounds(peers, options.rounds, measured)
        base = rows.get(Nginx.name) or next(iter(rows.values()))
        found[size] = {
            name: {**{key: median(own, key) for key in ("p50", "p99", "p999")}, "failed": sum(row["failed"] for row in own),
                   "rate": round(0.3 * rate), "p99_ratio": ratio(own, base, "p99")}
            for name, own in rows.items()
        }
        for peer in peers:
            peer.end()
        say(f"fixed rate, {size // KIB} KiB: measured")
    return found


def litellm(rig, options):
    """Its own kind of request."""
    body = rig.folder / "tiny.json"
    body.write_text('{"a":1}')
    peer = Litellm(rig).begin()
    environment = {"BODY": body, "TYPE": "application/json", "AUTHORIZATION": f"Bearer {peer.key}"}
    load(peer, 1, 32, "/through", **environment)
    rows = [load(peer, options.seconds, 32, "/through", **environment) for _ in range(options.rounds)]
    peer.end()
    return settled(rows)


def growth(rig, kinds, options):
    """[(store, accounts, gateways, row)]: what more accounts, and a second gateway on one Redis, cost."""
    picture, found = Picture(rig.folder, KIB), []
    if NginxLua in kinds:
        peer = NginxLua(rig).begin()
        rig.ask_redis_all([("HSET", f"key:{KEY % n}", "account", f"acme-{n}") for n in range(1000)])
        for count in (1, 1000):
            found.append((NginxLua.name, count, 1, across(peer, picture, count, options)))
        peer.end()
    for kind in (OursOnRedis, OursOnSqlite):
        if kind not in kinds:
            continue
        rig.ask_redis("FLUSHALL")
        peer = kind(rig).begin()
        store = accounts.of(peer)
        for count in options.accounts:
            store.grow_to(count)
            row = across(peer, picture, count, options)
            found.append((kind.name, count, 1, {**row, "size": store.size()}))
            say(f"{kind.name}, {count} accounts: measured")
        if kind is OursOnRedis:
            found.append((kind.name, options.accounts[-1], 2, two_gateways(peer, picture, options)))
        peer.end()
    return found


def across(peer, picture, count, options):
    """Load from 1,000 of the accounts at most, spread evenly, as a client cannot hold more requests ready."""
    keys = {"KEYS": min(count, 1000), "KEY_PATTERN": KEY.replace("%016d", "%016.0f")}
    environment = with_picture(picture, peer.key) | (keys if count > 1 else {})
    load(peer, 1, 32, **environment)
    rows = [load(peer, options.seconds, 32, **environment) for _ in range(options.rounds)]
    alone = load(peer, options.seconds / 2, 1, **environment)
    return {**settled(rows), "p50_alone": alone["p50"]}


def two_gateways(first, picture, options):
    """The second one on the same Redis and the same core; the load goes to both at once."""
    second = type(first)(first.rig).begin()
    from concurrent.futures import ThreadPoolExecutor

    keys = {**with_picture(picture, first.key), "KEYS": 1000, "KEY_PATTERN": KEY.replace("%016d", "%016.0f")}
    used = [cpu(process) for process in (first.process, second.process, first.rig.redis)]
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda peer: wrk(peer.url(), options.seconds, 16, **keys), (first, second)))
    used = [cpu(process) - before for process, before in zip((first.process, second.process, first.rig.redis), used)]
    count = max(1, sum(each["n"] for each in said))
    second.end()
    return {
        "n": count, "rate": sum(each["n"] / each["us"] * 1e6 for each in said), "cpu": (used[0] + used[1]) / count,
        "redis": used[2] / count, "refused": sum(each["refused"] for each in said),
        "broken": sum(each["broken"] for each in said),
    }


def memory(rig, kinds, options):
    """{peer: pictures and MiB}: at rest, then after each third of the pictures."""
    picture, found = Picture(rig.folder, KIB), {}
    for kind in (OursOnRedis, OursOnSqlite):
        if kind not in kinds:
            continue
        peer = kind(rig).begin()
        picture.send(peer.port, peer.key)
        seen, done, end = [resident(peer.process)], 0, time.monotonic() + options.memory_seconds
        for step in range(1, 4):
            while done < step * options.memory_pictures / 3 and time.monotonic() < end:
                done += wrk(peer.url(), 2, 32, **with_picture(picture, peer.key))["n"]
            seen.append(resident(peer.process))
        found[kind.name] = {"pictures": done, "mib": seen}
        peer.end()
        say(f"memory, {kind.name}: measured")
    return found


def starts(rig, kinds):
    """{peer: milliseconds} from the start of the process until it says that it is ready."""
    found = {}
    for kind in (OursOnRedis, OursOnSqlite):
        if kind not in kinds:
            continue
        peer = kind(rig).begin()
        times = []
        for _ in range(7):
            peer.end()
            begun = time.monotonic()
            peer.process = peer.serve()
            while not is_ready(peer.admin):
                time.sleep(0.0005)
            times.append((time.monotonic() - begun) * 1000)
        peer.end()
        found[kind.name] = statistics.median(times)
    say("starts: measured")
    return found


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def counts(rig, kinds, options):
    """{(peer, size): what one picture costs in allocations and system calls}."""
    found = {}
    if not parts.found():
        say("valgrind or strace is not installed: nothing is counted")
        return found
    for kind in (OursOnRedis, OursOnSqlite):
        for size in (KIB, 64 * KIB):
            if kind in kinds:
                wanted = parts.Wanted(size, 32, max(4, options.seconds), refused=False)
                found[kind.name, size] = parts.counted(rig, kind, wanted)
    say("allocations and system calls: counted")
    return found
