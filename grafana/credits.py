"""*Credits*: who spends them, and what is left on our own account at the backend."""

from panels import (BLUE, GREEN, GREY, ORANGE, PURPLE, RED, YELLOW, dashboard, falling, rate, row, series, stat, steps)

CALLERS = {"api": BLUE, "app": GREEN, "anonymous": YELLOW}


def now():
    by = 'sum(increase(rgw_pictures_total{@,%s}[1d]))'
    return [
        row("Last 24 hours"),
        stat("Pictures", "Pictures served and charged, by this estimate. The ledger is exact: `rembg-gateway usage`.", "locale",
             "sum(increase(rgw_pictures_total{@}[1d]))", decimals=0),
        stat("With API keys", "Of these, pictures asked for with an API key.", "locale", by % 'caller="api"', decimals=0),
        stat("By signed-in users", "Of these, pictures asked for with a user token.", "locale", by % 'caller="app"', decimals=0),
        stat("By anonymous callers", "Of these, pictures that were given away.", "locale", by % 'caller="anonymous"', decimals=0),
        stat("From prepaid credits", "Of these, pictures that lowered a prepaid balance.", "locale", by % 'pool="prepaid"',
             decimals=0),
        stat("Left at the backend", "Credits left on our own account, as the backend reports it. At 0 every caller gets 503 "
             "backend_account_exhausted.", "locale", "min(rgw_backend_account_remaining_credits{@})",
             falling(RED, (1, ORANGE), (100, GREEN)), decimals=0, empty="not asked"),
        stat("Days to empty", "At the speed of the last 6 hours. Infinite while nothing is spent.", "d",
             "min(rgw_backend_account_remaining_credits{@}) / "
             "clamp_min(-min(deriv(rgw_backend_account_remaining_credits{@}[6h])), 0) / 86400",
             falling(RED, (1, ORANGE), (3, GREEN)), decimals=1, empty="not asked"),
        stat("Drift", "Credits that the account lost in a day beyond the pictures answered to all gateways. Only where the "
             "account is used by nobody else (backend.reconcile.exclusive).", "locale",
             'max(job:rgw_backend_account_drift_credits:increase1d{job=~"$job"})', steps((20, ORANGE), (200, RED)),
             decimals=0, empty="not exclusive"),
    ]


def spent():
    return [
        row("Who spends credits"),
        series("By caller", "Pictures served a second: by API key, by user token, anonymous.", "reqps",
               (rate("rgw_pictures_total", "caller"), "{{caller}}"), stacked=True, colours_by_name=CALLERS),
        series("By pool", "*included* comes back with each window, *prepaid* is bought, *daily* is what anonymous callers get.",
               "reqps", (rate("rgw_pictures_total", "pool"), "{{pool}}"), stacked=True,
               colours_by_name={"included": GREEN, "prepaid": PURPLE, "daily": YELLOW}),
        series("By plan", "The plans of the configuration.", "reqps", (rate("rgw_pictures_total", "plan"), "{{plan}}"),
               stacked=True),
        series("Refused for a limit", "Requests answered 429: no credit left (monthly_limit), an anonymous caller's day "
               "(daily_limit), the short-term limit (too_fast).", "reqps",
               ('sum by (outcome) (rate(rgw_outcomes_total{@,outcome=~"monthly_limit|daily_limit|too_fast"}[$__rate_interval]))',
                "{{outcome}}"), stacked=True,
               colours_by_name={"monthly_limit": RED, "daily_limit": YELLOW, "too_fast": ORANGE}),
        series("Credits on hold", "Set aside for requests that are not finished. In a store that several gateways share, each "
               "shows its own.", "short", ("sum by (instance) (rgw_credits_held{@})", "{{instance}}")),
        series("Keeps that came late or not at all", "Late: counted after the hold's lease, so that an account may overshoot. "
               "Set aside: never counted, a person must look. Replays: the last ten minutes were written again.", "short",
               ("sum(increase(rgw_keeps_late_total{@}[$__rate_interval]))", "late"),
               ("sum(increase(rgw_keeps_set_aside_total{@}[$__rate_interval]))", "set aside"),
               ("sum(increase(rgw_journal_replays_total{@}[$__rate_interval]))", "replays"),
               bars=True, colours_by_name={"late": ORANGE, "set aside": RED, "replays": BLUE}),
    ]


def account():
    return [
        row("Our account at the backend"),
        series("Credits left", "As the backend reports it every backend.reconcile.interval_s seconds.", "short",
               ("min(rgw_backend_account_remaining_credits{@})", "left"), colours_by_name={"left": BLUE}, step=True),
        series("Lost against answered, by the hour", "Credits that the account lost, and pictures that the backend answered to "
               "all gateways. Where nobody else uses the account, the lines should meet.", "short",
               ("max(increase(rgw_backend_account_used_credits{@}[1h]))", "lost"),
               ("sum(increase(rgw_backend_pictures_total{@}[1h]))", "answered"),
               colours_by_name={"lost": RED, "answered": GREEN}),
        series("Drift since the start of each gateway", "Credits that the account lost beyond the pictures answered to this "
               "gateway. With several gateways on one account each sees the others' pictures here.", "short",
               ("rgw_backend_account_drift_credits{@}", "{{instance}}"), least=None, step=True),
        series("Keys at the backend", "A key rests when the backend refuses it: its account is spent, asked too fast, or the "
               "key is not known. When all rest, every caller gets 503.", "short",
               ("max(rgw_backend_keys{@})", "keys"), ("max(rgw_backend_keys_resting{@})", "resting"),
               colours_by_name={"keys": GREY, "resting": RED}, step=True),
        series("Whether the account is ours alone", "1 if backend.reconcile.exclusive is set. Only then is drift an alert.",
               "short", ("rgw_backend_account_exclusive{@}", "{{instance}}"), most=1, step=True),
        series("Answers of the metered backend", "Pictures a second that the backend answered, each a credit of ours.", "reqps",
               (rate("rgw_backend_pictures_total"), "pictures")),
    ]


def credits():
    return dashboard("rgw-credits", "rembg-gateway / Credits",
                     "Who spends credits, and what is left on our own account at the backend.", now() + spent() + account())
