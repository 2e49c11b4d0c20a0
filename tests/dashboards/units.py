"""Numbers as an axis shows them."""

import math

PREFIXES = {"short": (1000, ["", " K", " Mil", " Bil"]), "bytes": (1024, [" B", " KiB", " MiB", " GiB"]),
            "Bps": (1000, [" B/s", " kB/s", " MB/s", " GB/s"])}


def number(value, unit, decimals):
    """A value with its unit, with three digits unless told how many decimals."""
    if math.isinf(value):
        return "∞"
    if unit == "s":
        return seconds(value, decimals)
    if unit == "locale":
        return f"{value:,.{decimals or 0}f}"
    if unit == "percentunit":
        return digits(100 * value, decimals, 4) + " %"
    if unit in PREFIXES:
        base, names = PREFIXES[unit]
        power = min(len(names) - 1, int(math.log(abs(value), base) + 1e-9)) if abs(value) >= base else 0
        return digits(value / base ** power, decimals) + names[power]
    return digits(value, decimals) + {"reqps": " req/s", "ops": " ops/s", "d": " days"}[unit]


def seconds(value, decimals):
    for least, name, factor in ((86400, " days", 1 / 86400), (3600, " h", 1 / 3600), (60, " min", 1 / 60), (1, " s", 1),
                                (1e-3, " ms", 1e3), (0, " µs", 1e6)):
        if abs(value) >= least and value:
            return digits(value * factor, decimals) + name
    return "0 s"


def digits(value, decimals, most=3):
    if decimals is not None:
        return f"{value:.{decimals}f}"
    text = f"{value:.{most}g}"
    return f"{float(text):g}" if "e" not in text else f"{value:.0f}" if abs(value) >= 1 else f"{value:.2g}"


def ticks(low, high, wanted=4, base=10):
    """Round values from at most `low` to at least `high`."""
    rough = (high - low) / wanted
    if base == 1024:
        step = 2.0 ** math.ceil(math.log2(rough))
    else:
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [at * step for at in range(first, last + 1)]
