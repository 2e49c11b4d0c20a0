"""*Saturation*: how full everything is that can be full."""

from panels import (ORANGE, PURPLE, RED, dashboard, quantile, row, series, stat, steps)

FULL = steps((0.7, ORANGE), (0.9, RED))
LIMIT = {"limit": RED}


def full(title, description, used, limit, where=""):
    """The fullest gateway's share of a limit."""
    choice = f"@,{where}" if where else "@"
    return stat(title, description, "percentunit", f"max({used}{{{choice}}} / ({limit}{{{choice}}} > 0))", FULL, decimals=0)


def used_of(title, description, unit, used, limit, where=""):
    """What is used on each gateway, under the lowest limit."""
    choice = f"@,{where}" if where else "@"
    return series(title, description, unit, (f"sum by (instance) ({used}{{{choice}}})", "{{instance}}"),
                  (f"min({limit}{{{choice}}})", "limit"), colours_by_name=LIMIT)


def now():
    return [
        row("Fullest gateway now"),
        full("Queue", "Requests waiting for the backend. When it is full, callers get 503 queue_full.", "rgw_queue_length",
             "rgw_queue_limit"),
        full("Backend slots", "Pictures that the backend works on. 100 % is normal under load: then requests wait.",
             "rgw_backend_in_flight", "rgw_backend_in_flight_limit"),
        full("Body memory", "When it is full, bodies go to the disk.", "rgw_body_budget_used_bytes",
             "rgw_body_budget_limit_bytes", 'kind="memory"'),
        full("Body disk", "When it is full, callers get 503 no_room.", "rgw_body_budget_used_bytes",
             "rgw_body_budget_limit_bytes", 'kind="disk"'),
        full("Pixel memory", "Only pictures of remove.bg's API use it. When it is full, they wait.",
             "rgw_body_budget_used_bytes", "rgw_body_budget_limit_bytes", 'kind="pixels"'),
        full("Connections in use", "When all are in use, further ones wait to be accepted.", "rgw_connections",
             "rgw_connections_limit"),
        full("Journal", "Keeps that the store has not acknowledged. When it is full, no request is admitted.",
             "rgw_journal_entries", "rgw_journal_entries_limit"),
        full("File descriptors", "Connections, bodies on disk and the store share them.", "process_open_fds", "process_max_fds"),
    ]


def queue():
    return [
        row("Queue before the backend"),
        used_of("Requests in the queue", "Accounts take turns, so one busy caller fills the queue without delaying others much.",
                "short", "rgw_queue_length", "rgw_queue_limit"),
        series("Wait in the queue", "Of the requests that left it. A long wait and a full backend mean that the backend is too "
               "small.", "s", *[(quantile(share, "rgw_queue_wait_seconds"), f"{name} %")
                                for share, name in ((0.5, 50), (0.95, 95), (0.99, 99))]),
        series("Refused for want of room", "queue_full: the queue is full, or too long for the request's deadline. no_room: no "
               "memory or disk was left for a body.", "reqps",
               ('sum by (outcome) (rate(rgw_outcomes_total{@,outcome=~"queue_full|no_room"}[$__rate_interval]))', "{{outcome}}"),
               bars=True, stacked=True, colours_by_name={"queue_full": RED, "no_room": PURPLE}),
        series("Pictures at each backend", "Over all gateways, and how many there may be.", "short",
               ("sum by (backend) (rgw_backend_in_flight{@})", "{{backend}}"),
               ("sum(rgw_backend_in_flight_limit{@})", "limit"), colours_by_name=LIMIT, width=12),
        series("Requests in flight", "Requests whose answers are not completely sent yet, for each gateway.", "short",
               ("sum by (instance) (rgw_requests_in_flight{@})", "{{instance}}"), width=12),
    ]


def bodies():
    used, limit = "rgw_body_budget_used_bytes", "rgw_body_budget_limit_bytes"
    return [
        row("Bodies and connections"),
        used_of("Memory for bodies", "Of each gateway, under limits.memory_budget. Longer bodies, and all once it is full, are "
                "on the disk.", "bytes", used, limit, 'kind="memory"'),
        used_of("Disk for bodies", "Of each gateway, under limits.spool_budget. It stays used while slow callers read their "
                "answers.", "bytes", used, limit, 'kind="disk"'),
        used_of("Memory for pixels", "Of each gateway, under limits.pixel_memory. Pictures that find no room wait.", "bytes",
                used, limit, 'kind="pixels"'),
        used_of("Connections", "Of each gateway, under limits.connections. Idle ones are closed after "
                "listen.idle_timeout_s.", "short", "rgw_connections", "rgw_connections_limit"),
    ]


def settling():
    return [
        used_of("Keeps in the journal", "On the gateway's disk until the store takes them. They are counted later, not lost.",
                "short", "rgw_journal_entries", "rgw_journal_entries_limit"),
        series("Age of the oldest keep in the journal", "The line is where an alert begins. The store is unavailable, or it "
               "refuses these keeps.", "s", ("max by (instance) (rgw_journal_oldest_age_seconds{@})", "{{instance}}"),
               thresholds=steps((300, RED))),
        series("Open pledges", "Requests whose credit is neither charged nor given back yet.", "short",
               ("sum by (instance) (rgw_pledges_open{@})", "{{instance}}")),
        series("Age of the oldest pledge", "No request takes as long as the limit, so an older pledge is a mistake of the "
               "gateway's, unless its release is owed.", "s",
               ("max by (instance) (rgw_pledges_oldest_age_seconds{@})", "{{instance}}"),
               ("max(rgw_pledges_age_limit_seconds{@})", "limit"), colours_by_name=LIMIT),
        series("Releases owed", "Credits that could not be given back yet because the store did not answer. They are free "
               "again when their lease ends at the latest.", "short",
               ("sum by (instance) (rgw_releases_owed{@})", "{{instance}}")),
    ]


def process():
    return [
        row("Process"),
        series("CPU", "Cores in use by each gateway.", "short",
               ("rate(process_cpu_seconds_total{@}[$__rate_interval])", "{{instance}}")),
        series("Memory", "Resident memory of each gateway.", "bytes", ("process_resident_memory_bytes{@}", "{{instance}}")),
        series("Open files", "Connections, bodies on disk and the store share them.", "short",
               ("process_open_fds{@}", "{{instance}}"), ("min(process_max_fds{@})", "limit"), colours_by_name=LIMIT,
               logarithmic=True),
        series("Threads", "A number that grows without end is a mistake of the gateway's.", "short",
               ("process_threads{@}", "{{instance}}")),
        series("Panics", "Mistakes of this program. Each fails its own request only; the log says where.", "short",
               ("sum by (instance) (increase(rgw_panics_total{@}[$__rate_interval]))", "{{instance}}"), bars=True),
        series("Log lines left out", "Of one cause at most log.lines_per_cause lines a second are written; this is the rest.", "short",
               ("sum by (instance) (rate(rgw_log_lines_left_out_total{@}[$__rate_interval]))", "{{instance}}")),
    ]


def saturation():
    return dashboard("rgw-saturation", "rembg-gateway / Saturation", "How full everything is that can be full.",
                     now() + queue() + bodies() + settling() + process())
