"""*Dependencies*: the store, the backends, Stripe, the issuers of tokens, certificates and the configuration."""

from panels import (BLUE, GREEN, ORANGE, PURPLE, RED, YELLOW, dashboard, falling, quantile, rate, row, series, stat,
                    steps)

ANSWERS = {"2xx": GREEN, "3xx": BLUE, "4xx": YELLOW, "429": ORANGE, "5xx": RED, "none": PURPLE}
UP = [(0, "DOWN", RED), (1, "up", GREEN)]


def now():
    return [
        row("Now"),
        stat("Store", "Down if any gateway's store did not answer its last scrape. Then callers get 503 store_unavailable.",
             "short", "min(rgw_store_up{@})", words=UP),
        stat("Backends", "Down if any gateway gives a backend no pictures because it does not answer.", "short",
             "min(rgw_backend_up{@})", words=UP),
        stat("Keys resting", "Keys of ours that the backend refuses now.", "short", "max(rgw_backend_keys_resting{@})",
             steps((1, RED)), empty="no keys"),
        stat("Certificate", "Days until the first gateway's certificate ends.", "d",
             "min(rgw_certificate_not_after_timestamp_seconds{@} - time()) / 86400", falling(RED, (7, ORANGE), (21, GREEN)),
             decimals=0, empty="no TLS"),
        stat("Stripe events parked", "Events that wait for something: an account, a price. `rembg-gateway stripe parked` lists "
             "them.", "short", "max(rgw_stripe_events_parked{@})", steps((1, ORANGE)), empty="no Stripe"),
        stat("Oldest token keys", "Age of the keys of the issuers of user tokens.", "s", "max(rgw_jwks_age_seconds{@})",
             steps((7200, ORANGE), (86400, RED)), empty="no issuer"),
        stat("Configuration", "Refused if the last reload of any gateway was. It goes on with the settings that it had.",
             "short", "min(rgw_config_last_reload_successful{@})", words=[(0, "REFUSED", RED), (1, "loaded", GREEN)]),
        stat("Versions", "Gateways by version, store and backend. Two versions are normal only during an update.", "short",
             "count by (version, store, backend) (rgw_build_info{@})", legend="{{version}} {{store}} {{backend}}"),
    ]


def store():
    return [
        row("Store"),
        series("Operations", "By verb, over all gateways.", "ops", (rate("rgw_store_operations_total", "verb"), "{{verb}}"),
               stacked=True),
        series("Operations without success", "*refused* is an answer, such as no credit left. *unavailable* and *error* are "
               "faults of the store.", "ops",
               ('sum by (verb, result) (rate(rgw_store_operations_total{@,result!="ok"}[$__rate_interval])) > 0',
                "{{verb}} {{result}}"), bars=True, stacked=True),
        series("Time of an operation, 99 %", "By verb. `keep` on a Redis with appendfsync always waits for its disk.", "s",
               (quantile(0.99, "rgw_store_operation_seconds", "verb"), "{{verb}}"), logarithmic=True),
        series("Store up, breaker open", "An open breaker answers at once that the store is unavailable, until a try succeeds.",
               "short", ("min(rgw_store_up{@})", "up"), ("max(rgw_store_breaker_open{@})", "breaker open"), most=1, step=True,
               colours_by_name={"up": GREEN, "breaker open": RED}),
        series("Operations in one batch", "How many operations travel in one call or commit. It grows with load, which is "
               "intended.", "short", (quantile(0.5, "rgw_store_batch_operations"), "50 %"),
               (quantile(0.99, "rgw_store_batch_operations"), "99 %")),
        series("Outages", "How often the store became unavailable.", "short",
               ("sum by (instance) (increase(rgw_store_outages_total{@}[$__rate_interval]))", "{{instance}}"), bars=True),
    ]


def backends():
    return [
        row("Backends"),
        series("Up", "1 if all gateways give it pictures, 0 if none does.", "short",
               ("avg by (backend) (rgw_backend_up{@})", "{{backend}}"), most=1, step=True),
        series("Answers", "By status, over all backends; *none* is no answer. A picture may need several tries.", "reqps",
               (rate("rgw_backend_responses_total", "status_class"), "{{status_class}}"), stacked=True, colours_by_name=ANSWERS),
        series("Time of a try", "From sending a picture until its whole answer is there.", "s",
               (quantile(0.5, "rgw_backend_duration_seconds", "backend"), "{{backend}} 50 %"),
               (quantile(0.99, "rgw_backend_duration_seconds", "backend"), "{{backend}} 99 %")),
        series("Retries", "Tries after the first of a picture.", "reqps",
               (rate("rgw_backend_retries_total", "backend"), "{{backend}}")),
        series("Ejections", "Times that a backend was taken out of use because it did not answer.", "short",
               ("sum by (backend) (increase(rgw_backend_ejections_total{@}[$__rate_interval]))", "{{backend}}"), bars=True),
        series("Answers without success, by backend", "Refusals of single pictures (4xx) are normal; 401, 402, 403 and 429 "
               "rest the key.", "reqps",
               ('sum by (backend, status_class) (rate(rgw_backend_responses_total{@,status_class!="2xx"}[$__rate_interval])) > 0',
                "{{backend}} {{status_class}}"), bars=True, stacked=True),
    ]


def billing():
    return [
        row("Stripe and issuers of tokens"),
        series("Stripe's events", "By outcome: applied, duplicate (nothing new), parked (waits for something), or why it has "
               "no effect.", "reqps",
               ("sum by (outcome) (rate(rgw_stripe_events_total{@}[$__rate_interval])) > 0", "{{outcome}}"), bars=True,
               stacked=True),
        series("Stripe's events by type", "Types that are not handled are *other*.", "reqps",
               ("sum by (type) (rate(rgw_stripe_events_total{@}[$__rate_interval])) > 0", "{{type}}"), bars=True, stacked=True),
        series("From the event to its effect", "Stripe repeats what was not taken for three days, so this can be long after a "
               "fault.", "s", (quantile(0.5, "rgw_stripe_event_lag_seconds"), "50 %"),
               (quantile(0.99, "rgw_stripe_event_lag_seconds"), "99 %"), logarithmic=True),
        series("Since Stripe's last event", "Over all gateways. After three days of silence an alert begins.", "s",
               ("time() - max(rgw_stripe_last_event_timestamp_seconds{@} > 0)", "last event"), thresholds=steps((259200, RED))),
        series("User tokens", "By result of the check.", "reqps",
               ("sum by (result) (rate(rgw_user_tokens_total{@}[$__rate_interval])) > 0", "{{result}}"), bars=True,
               stacked=True),
        series("Age of the issuers' keys", "They are fetched again regularly. An old age means that the issuer does not "
               "answer; tokens of known keys go on.", "s",
               ("max by (issuer) (rgw_jwks_age_seconds{@})", "{{issuer}}")),
    ]


def configuration():
    left = ("(rgw_certificate_not_after_timestamp_seconds{@} - time()) / "
            "(rgw_certificate_not_after_timestamp_seconds{@} - rgw_certificate_not_before_timestamp_seconds{@})")
    return [
        row("Certificates and configuration"),
        series("Part of the certificate's life that is left", "Below a quarter is a ticket: the renewal did not happen. Below "
               "a tenth is a page.", "percentunit", (left, "{{instance}}"), most=1,
               thresholds=falling(RED, (0.1, ORANGE), (0.25, GREEN))),
        series("Last load of the configuration", "0 if it was refused: the gateway goes on with the settings that it had, and "
               "the log names the mistake.", "short", ("rgw_config_last_reload_successful{@}", "{{instance}}"), most=1,
               step=True),
        series("Warnings", "Codes of /readyz's warnings that are set, over all gateways.", "short",
               ("sum by (code) (rgw_warnings{@})", "{{code}}"), step=True, stacked=True),
    ]


def dependencies():
    return dashboard("rgw-dependencies", "rembg-gateway / Dependencies",
                     "The store, the backends, Stripe, the issuers of tokens, certificates and the configuration.",
                     now() + store() + backends() + billing() + configuration())
