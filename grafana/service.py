"""*Service*: what callers get, how fast, and where the time goes."""

from panels import (BLUE, GREEN, GREY, ORANGE, PURPLE, RED, YELLOW, dashboard, falling, mean, quantile, rate, row, series, stat,
                    steps)

CLASSES = {"2xx": GREEN, "3xx": BLUE, "4xx": YELLOW, "429": ORANGE, "5xx": RED, "abandoned": GREY}
# The causes of 5xx.
FAILED = {"queue_full": ORANGE, "no_room": PURPLE, "store_unavailable": RED, "backend_unavailable": BLUE,
          "backend_account_exhausted": "light-blue", "backend_failed": "dark-blue", "timed_out": "dark-purple",
          "panic": "dark-red"}
FAILURES = 'sum(rate(rgw_requests_total{@,PICTURES,status_class="5xx"}[$__rate_interval]))'
JUDGED = 'sum(rate(rgw_requests_total{@,PICTURES,status_class=~"2xx|5xx"}[$__rate_interval]))'


def now():
    return [
        row("Now"),
        stat("Availability, 30 days", "Share of pictures that were served and not answered 5xx. The objective is 99.9 %: red "
             "below it. Needs deploy/prometheus/recording.yaml.", "percentunit",
             '1 - max(job:rgw_picture_failures:ratio_rate30d{job=~"$job"})',
             falling(RED, (0.999, GREEN)), decimals=3, empty="no pictures"),
        stat("Error budget left", "Part of the failures allowed in 30 days that is still unused. At 0 the objective is missed: "
             "put off risky changes.", "percentunit",
             '1 - max(job:rgw_picture_failures:ratio_rate30d{job=~"$job"}) / (1 - scalar(slo:rgw_availability:objective))',
             falling(RED, (0, ORANGE), (0.25, GREEN)), decimals=0, empty="no pictures"),
        stat("Failing now", "Share of pictures answered 5xx, of those answered 2xx or 5xx. *Pictures not served* says which "
             "outcome it is.", "percentunit", f"{FAILURES} / {JUDGED}",
             steps((0.001, ORANGE), (0.01, RED)), decimals=2, empty="no pictures"),
        stat("Overhead, 99 %", "Our own part of the time of a picture: without the upload, the queue and the backend. The "
             "objective is 25 ms for 99 % of pictures.", "s", quantile(0.99, "rgw_overhead_seconds"),
             steps((0.025, ORANGE), (0.1, RED)), decimals=1, empty="no pictures"),
        stat("Pictures", "Pictures served and charged a second.", "reqps", rate("rgw_pictures_total"), decimals=1),
        stat("Not ready", "Gateways that say 503 on /readyz: starting, stopping, without a store, without a backend, or with "
             "their own certificate expired.", "short", "count(rgw_ready{@} == 0) or vector(0)", steps((1, RED))),
        stat("Warnings", "Warnings on /readyz over all gateways: the gateway serves, but something needs a look. "
             "*Dependencies* lists them.", "short", "count(rgw_warnings{@} == 1) or vector(0)", steps((1, ORANGE))),
        stat("Alerts firing", "Firing alerts of deploy/prometheus/alerts.yaml, each described in docs/operations.md.", "short",
             'count(ALERTS{alertname=~"Rgw.+",alertstate="firing"}) or vector(0)', steps((1, RED))),
    ]


def requests():
    return [
        row("Requests for pictures"),
        series("Requests by status", "Requests on the routes of pictures. 429 is apart from other 4xx; *abandoned* is a caller "
               "that left before its answer.", "reqps",
               (rate("rgw_requests_total", "status_class", "@,PICTURES"), "{{status_class}}"),
               stacked=True, colours_by_name=CLASSES),
        series("Pictures not served, by outcome", "What callers were told instead. The five causes of 503 are queue_full, "
               "backend_unavailable, backend_account_exhausted, store_unavailable and no_room.", "reqps",
               ('sum by (outcome) (rate(rgw_outcomes_total{@,PICTURES,outcome!="served"}[$__rate_interval])) > 0', "{{outcome}}"),
               stacked=True, bars=True, colours_by_name=FAILED),
        series("Time of a request", "From the end of a request's head to the head of its answer, the upload, the queue and the "
               "backend included.", "s",
               *[(quantile(share, "rgw_request_duration_seconds", choice="@,PICTURES"), f"{name} %")
                 for share, name in ((0.5, 50), (0.95, 95), (0.99, 99))]),
    ]


def times():
    return [
        row("Where the time goes"),
        series("Own overhead against the backend's time", "Both on one logarithmic axis. If the upper lines rise, the backend "
               "is slow; if the lower ones do, it is us: look at the steps, the store and the CPU.", "s",
               (quantile(0.99, "rgw_backend_duration_seconds"), "backend 99 %"),
               (quantile(0.5, "rgw_backend_duration_seconds"), "backend 50 %"),
               (quantile(0.99, "rgw_overhead_seconds"), "overhead 99 %"),
               (quantile(0.5, "rgw_overhead_seconds"), "overhead 50 %"),
               logarithmic=True,
               colours_by_name={"backend 99 %": BLUE, "backend 50 %": "light-blue", "overhead 99 %": RED,
                                "overhead 50 %": ORANGE}),
        series("Pictures within 25 ms of overhead", "The objective is 99 %, the line.", "percentunit",
               ('sum(rate(rgw_overhead_seconds_bucket{@,le="0.025"}[$__rate_interval])) / '
                "sum(rate(rgw_overhead_seconds_count{@}[$__rate_interval]))", "within 25 ms"),
               thresholds=falling(RED, (0.99, GREEN)), least=None, most=1),
        series("Mean time of each step", "caller and admit ask the store, form reads the upload, send includes the queue and "
               "the backend, settle writes the charge.", "s",
               (mean("rgw_step_duration_seconds", "step"), "{{step}}"), stacked=True),
    ]


def objectives():
    windows = ("1h", "6h", "3d")
    limits = steps((1, YELLOW), (6, ORANGE), (14.4, RED))
    return [
        row("Objectives"),
        series("Speed at which failures spend the error budget", "1 spends exactly the budget of 30 days in 30 days. Alerts "
               "page at 14.4 (over 1 h) and 6 (6 h); 1 (3 d) is a ticket. Needs the recording rules.", "short",
               *[(f'job:rgw_picture_failures:ratio_rate{window}{{job=~"$job"}} / (1 - scalar(slo:rgw_availability:objective))',
                  window) for window in windows], thresholds=limits, logarithmic=True, width=12),
        series("Speed at which slow pictures spend theirs", "The same for pictures with more than 25 ms of our own overhead.",
               "short",
               *[(f'job:rgw_slow_pictures:ratio_rate{window}{{job=~"$job"}} / (1 - scalar(slo:rgw_overhead:objective))',
                  window) for window in windows], thresholds=limits, logarithmic=True, width=12),
    ]


def callers():
    return [
        row("Callers and what they send"),
        series("Requests by route", "Every request, pages and reports included.", "reqps",
               (rate("rgw_requests_total", "route"), "{{route}}"), stacked=True),
        series("Requests by caller", "*rejected* are callers whom nobody identified, and all requests that need no caller.",
               "reqps", (rate("rgw_requests_total", "caller"), "{{caller}}"), stacked=True,
               colours_by_name={"api": BLUE, "app": GREEN, "anonymous": YELLOW, "rejected": GREY}),
        series("Rejected early", "Requests answered 429, and connections closed, before the store was asked. "
               "bad_credentials that go on are somebody guessing keys.", "reqps",
               (rate("rgw_rejections_total", "by"), "{{by}}"), stacked=True),
        series("Faults in forms", "By field and rule. One that begins on a day is often a client's new version.", "reqps",
               ("sum by (field, rule) (rate(rgw_form_complaints_total{@}[$__rate_interval])) > 0", "{{field}} {{rule}}"),
               stacked=True, bars=True),
        series("Bytes in and out", "Bodies of requests and answers, without heads.", "Bps",
               (rate("rgw_received_bytes_total"), "received"), (rate("rgw_sent_bytes_total"), "sent"),
               colours_by_name={"received": PURPLE, "sent": BLUE}),
        series("Size of images", "As uploaded, before anything is done to them.", "bytes",
               *[(quantile(share, "rgw_image_size_bytes"), f"{name} %")
                 for share, name in ((0.5, 50), (0.9, 90), (0.99, 99))]),
    ]


def service():
    return dashboard("rgw-service", "rembg-gateway / Service", "What callers get, how fast, and where the time goes.",
                     now() + requests() + times() + objectives() + callers())
