"""The measured numbers as Markdown: tables, and the targets that were met or missed."""

from rig import CORES

KIB = 1024
LUA, NGINX = "nginx + Lua + Redis", "nginx"
REDIS, SQLITE = "rembg-gateway on Redis", "rembg-gateway on SQLite"


def size_of(size):
    return f"{size // KIB} KiB" if size < KIB * KIB else f"{size // KIB // KIB} MiB"


def table(head, rows):
    """Text to the left in the first column, numbers to the right in the others."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def picture_table(found, size, connections):
    """The peers' rows for one size of picture, all numbers of connections beside each other."""
    many = [count for count in connections if count > 1]
    head = ["", "p50 ms, 1 conn."]
    for count in many:
        head += [f"req/s, {count} conn.", "× nginx", "CPU µs", "× nginx", "p99 ms"]
    head += ["core busy %", "Redis µs", "AOF bytes", "RSS MiB", "errors"]
    rows = []
    for peer in found[size, connections[0]]:
        each = {count: found[size, count][peer] for count in connections}
        row = [peer, f"{each[1]['p50']:.3f}" if 1 in each else "–"]
        for count in many:
            one = each[count]
            row += [f"{one['rate']:.0f}", f"{one['rate_ratio']:.2f}", f"{one['cpu']:.0f}", f"{one['cpu_ratio']:.2f}"]
            row.append(f"{one['p99']:.2f}")
        typical = each[many[0]] if many else each[1]
        uses_redis = peer in (LUA, REDIS)
        row.append(f"{100 * typical['busy']:.0f}")
        row += [f"{typical['redis']:.0f}", f"{typical['aof']:.0f}"] if uses_redis else ["–", "–"]
        row += [f"{max(one['rss'] for one in each.values()):.0f}"]
        row.append(sum(one["refused"] + one["broken"] for one in each.values()))
        rows.append(row)
    return table(head, rows)


def pictures(found, options):
    parts = []
    for size in options.sizes:
        answer = "64 KiB" if size > 8 * KIB else "1 KiB"
        parts.append(f"### Pictures of {size_of(size)}, answers of {answer}\n\n{picture_table(found, size, options.connections)}")
    return "\n\n".join(parts)


def refusals(found):
    rows = [
        [request, peer, f"{row['rate']:.0f}", f"{row['cpu']:.1f}", f"{row['cpu_ratio']:.2f}", f"{row['redis']:.1f}",
         f"{row['p99']:.2f}", row["broken"]]
        for request, peers in found.items() for peer, row in peers.items()
    ]
    head = ["401", "", "req/s", "CPU µs", "× nginx", "Redis µs", "p99 ms", "broken connections"]
    return "### Refusals, 32 connections\n\n" + table(head, rows)


def fixed_rate(found):
    rows = [
        [size_of(size), peer, row["rate"], f"{row['p50']:.2f}", f"{row['p99']:.2f}", f"{row['p99_ratio']:.2f}",
         f"{row['p999']:.2f}", row["failed"]]
        for size, peers in found.items() for peer, row in peers.items()
    ]
    head = ["picture", "", "req/s", "p50 ms", "p99 ms", "p99 × nginx", "p99.9 ms", "failed"]
    words = "### At a fixed rate: 0.3 of nginx's most, 32 connections\n\n"
    return words + "Times count from the moment at which a request was due.\n\n" + table(head, rows)


def litellm(row):
    words = "### LiteLLM, on its own kind of request, 32 connections\n\nJSON of 7 bytes passed through; no database.\n\n"
    cells = [[f"{row['rate']:.0f}", f"{row['cpu']:.0f}", f"{row['p50']:.1f}", f"{row['p99']:.1f}", f"{row['rss']:.0f}",
              row["refused"] + row["broken"]]]
    return words + table(["req/s", "CPU µs", "p50 ms", "p99 ms", "RSS MiB", "errors"], cells)


def growth(found):
    rows = [
        [peer, f"{count:,}", gateways, f"{row['rate']:.0f}", f"{row['cpu']:.0f}",
         "–" if peer == SQLITE else f"{row['redis']:.0f}", f"{row['p50_alone']:.3f}" if "p50_alone" in row else "–",
         f"{row['size']:,.0f}" if "size" in row else "–", row["refused"] + row["broken"]]
        for peer, count, gateways, row in found
    ]
    head = ["", "accounts", "gateways", "req/s", "CPU µs", "Redis µs", "p50 ms, 1 conn.", "store MiB", "errors"]
    words = "### More accounts, more gateways: pictures of 1 KiB, 32 connections\n\n"
    return words + "Requests take turns with 1,000 of the accounts, or with all if there are fewer.\n\n" + table(head, rows)


def memory(found):
    rows = [[peer, f"{row['pictures']:,}", *(f"{mib:.0f}" for mib in row["mib"])] for peer, row in found.items()]
    head = ["RSS in MiB", "pictures", "at rest", "after a third", "after two thirds", "after all"]
    return "### Memory, pictures of 1 KiB, 32 connections\n\n" + table(head, rows)


def starts(found):
    words = "### Start\n\nFrom the start of the process until `/readyz` says 200, median of 7.\n\n"
    return words + table(["", "ms"], [[peer, f"{milliseconds:.0f}"] for peer, milliseconds in found.items()])


def counts(found):
    rows = [[peer, size_of(size), f"{row['allocations']:.0f}", f"{row['calls']:.1f}"] for (peer, size), row in found.items()]
    words = "### Allocations and system calls of a picture, 32 connections\n\nBy callgrind and strace (`bench/parts.py`).\n\n"
    return words + table(["", "picture", "allocations", "system calls"], rows)


def targets(results, options):
    """(what, wanted at most or at least, measured) for everything that this run can tell."""
    found = []

    def most(what, limit, measured):
        found.append((what, f"≤ {limit}", measured, measured <= limit))

    def least(what, limit, measured):
        found.append((what, f"≥ {limit}", measured, measured >= limit))

    pictures = results.get("pictures", {})
    for size, cpu_limit, rate_limit in ((64 * KIB, 1.6, 0.6), (KIB, 2.4, 0.4)):
        peers = pictures.get((size, 32), {})
        if REDIS in peers and NGINX in peers:
            most(f"{size_of(size)}: CPU × nginx", cpu_limit, peers[REDIS]["cpu_ratio"])
            least(f"{size_of(size)}: req/s × nginx", rate_limit, peers[REDIS]["rate_ratio"])
        if REDIS in peers and LUA in peers:
            least(f"{size_of(size)}: req/s × nginx + Lua + Redis", 1.15, peers[REDIS]["rate"] / peers[LUA]["rate"])
        alone = pictures.get((size, 1), {})
        if REDIS in alone and NGINX in alone:
            added = alone[REDIS]["p50"] / alone[NGINX]["p50"] - 1
            most(f"{size_of(size)}: added p50 at one connection, in nginx's own", 0.7, added)
    for size, peers in results.get("fixed_rate", {}).items():
        if REDIS in peers and NGINX in peers:
            most(f"{size_of(size)}: p99 at a fixed rate × nginx", 2, peers[REDIS]["p99_ratio"])
    for request, peers in results.get("refusals", {}).items():
        if REDIS in peers and NGINX in peers:
            most(f"401, {request}: CPU × nginx", 1.5, peers[REDIS]["cpu_ratio"])
            most(f"401, {request}: broken connections", 0, peers[REDIS]["broken"])
    one = pictures.get((KIB, 32), {})
    if REDIS in one and LUA in one:
        most("Redis µs a picture × nginx + Lua + Redis, one account", 0.8, one[REDIS]["redis"] / one[LUA]["redis"])
    if REDIS in one:
        most("AOF bytes a picture, 32 connections", 450, one[REDIS]["aof"])
        most("AOF bytes a picture, one connection", 850, pictures[KIB, 1][REDIS]["aof"]) if (KIB, 1) in pictures else None
    if REDIS in one and SQLITE in one:
        both = one[REDIS]["cpu"] + one[REDIS]["redis"]
        most("SQLite: CPU × gateway and Redis together", 1.6, one[SQLITE]["cpu"] / both)
    crowd = pictures.get((KIB, 256), {})
    if SQLITE in crowd:
        least("SQLite: pictures a second at 256 connections", 3000, crowd[SQLITE]["rate"])
    many = {(peer, count): row for peer, count, gateways, row in results.get("growth", []) if gateways == 1}
    if (REDIS, 1000) in many and (LUA, 1000) in many:
        share = many[REDIS, 1000]["redis"] / many[LUA, 1000]["redis"]
        most("Redis µs a picture × nginx + Lua + Redis, 1,000 accounts", 1.5, share)
    for peer, row in results.get("memory", {}).items():
        most(f"{peer}: RSS after {row['pictures']:,} pictures over rest, MiB", 20, row["mib"][-1] - row["mib"][0])
    for peer, milliseconds in results.get("starts", {}).items():
        most(f"{peer}: start to ready, ms", 100, milliseconds)
    if (REDIS, KIB) in results.get("counts", {}):
        most("1 KiB: allocations a picture", 110, results["counts"][REDIS, KIB]["allocations"])
    rows = [[what, limit, f"{measured:.2f}".rstrip("0").rstrip("."), "met" if met else "**missed**"]
            for what, limit, measured, met in found]
    return "### Targets\n\n" + table(["", "wanted", "measured", ""], rows)


def heading(options, versions, absent):
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    # Without what whoever built it has added.
    kernel = open("/proc/sys/kernel/osrelease").read().strip().split("-")[0]
    rounds = "One round" if options.rounds == 1 else f"Medians of {options.rounds} rounds"
    memory = int(open("/proc/meminfo").readline().split()[1]) // KIB // KIB
    words = [
        f"Measured on {options.day}: {cpu}, {len(CORES)} cores, {memory} GiB, Linux {kernel}. Load averages {options.load} "
        f"before and {options.load_after} after: what else ran makes the numbers noisy.",
        f"{rounds} of {options.seconds:g} s. " + "; ".join(f"{k} {v}" for k, v in versions.items()) + ".",
    ]
    if absent:
        words.append(f"Not installed, so left out: {', '.join(absent)}.")
    return "\n\n".join(words)


def whole(results, options, versions, absent):
    parts = [heading(options, versions, absent)]
    for name, words in (("pictures", lambda found: pictures(found, options)), ("refusals", refusals), ("fixed_rate", fixed_rate),
                        ("litellm", litellm), ("growth", growth), ("memory", memory), ("starts", starts), ("counts", counts)):
        if results.get(name):
            parts.append(words(results[name]))
    parts.append(targets(results, options))
    return "\n\n".join(parts)
