"""Draws a dashboard from its queries, about as Grafana would, as one HTML page for a browser to take a picture of.

    draw.py PROMETHEUS DASHBOARD.json START END PAGE.html

START and END are in unix seconds. Time series and single values only: what the dashboards have.
"""

import html
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

from units import number, ticks

CELL, LINE, GAP = 60, 34, 8
PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a",
           "#c4162a", "#8f3bb8", "#1f60c4", "#fa6400", "#96d98d", "#ffb357"]
NAMED = {"green": "#56a64b", "yellow": "#f2cc0c", "orange": "#ff780a", "red": "#e02f44", "blue": "#5794f2",
         "light-blue": "#8ab8ff", "purple": "#b877d9", "dark-blue": "#1f60c4", "dark-purple": "#8f3bb8", "dark-red": "#c4162a"}
STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 13px "DejaVu Sans", sans-serif; }
.panel { position: absolute; background: #181b1f; border: 1px solid #2b2e34; border-radius: 3px; overflow: hidden; }
.title { padding: 5px 8px 0; font-weight: bold; font-size: 12px; white-space: nowrap; }
.value { position: absolute; inset: 24px 0 0; display: flex; flex-direction: column; justify-content: center; text-align: center;
  font-size: 25px; color: #fff; font-weight: bold; }
.value small { font-size: 11px; font-weight: normal; padding: 0 6px; }
.row { position: absolute; font-size: 15px; font-weight: bold; padding: 8px 2px; }
.key { position: absolute; left: 10px; right: 6px; bottom: 4px; font-size: 11px; line-height: 15px; max-height: 30px;
  overflow: hidden; }
.key i { display: inline-block; width: 12px; height: 4px; margin: 0 4px 2px 8px; }
svg { position: absolute; left: 0; top: 22px; }
text { fill: #9fa7b3; font-size: 10px; }
h1 { position: absolute; left: 12px; top: 6px; margin: 0; font-size: 18px; }
.label { position: absolute; right: 14px; top: 11px; color: #ffb357; }
"""


class Source:
    """The Prometheus, and the time that is drawn."""

    def __init__(self, address, start, end):
        self.address, self.start, self.end = address, start, end
        # As many points as fit, and at least a second apart.
        self.step = max(1, math.ceil((end - start) / 240))

    def ask(self, path, query, **times):
        query = query.replace("$__rate_interval", f"{max(4, 2 * self.step)}s").replace("$job", ".+").replace("$instance", ".+")
        url = f"{self.address}/api/v1/{path}?" + urllib.parse.urlencode({"query": query, **times})
        # A Prometheus on this machine is never reached by a proxy.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def series(self, target):
        """Each series' legend and its values by time."""
        for found in self.ask("query_range", target["expr"], start=self.start, end=self.end, step=self.step):
            values = {float(at): float(value) for at, value in found["values"]}
            yield legend(target, found["metric"]), {at: value for at, value in values.items() if math.isfinite(value)}

    def now(self, target):
        """Each series' legend and present value."""
        for found in self.ask("query", target["expr"], time=self.end):
            yield legend(target, found["metric"]), float(found["value"][1])


def legend(target, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), target["legendFormat"])


def shade(name):
    return NAMED.get(name, name)


def colour_at(thresholds, value):
    reached = [one["color"] for one in thresholds["steps"] if one["value"] is None or value >= one["value"]]
    return shade(reached[-1])


def draw_stat(panel, source):
    defaults = panel["fieldConfig"]["defaults"]
    found = list(source.now(panel["targets"][0]))
    named = panel["options"]["textMode"] == "value_and_name"
    texts, background = [], ""
    for name, value in found if named else found[:1]:
        if math.isnan(value):
            continue
        mapped = [one["options"].get(f"{value:g}") for one in defaults["mappings"]]
        text, colour = number(value, defaults["unit"], defaults.get("decimals")), colour_at(defaults["thresholds"], value)
        for one in filter(None, mapped):
            text, colour = one["text"], shade(one["color"])
        texts.append(html.escape(text) + (f"<small>{html.escape(name)}</small>" if named else ""))
        background = f"background: {colour}" if panel["options"]["colorMode"] == "background" else f"color: {colour}"
    texts = texts or [f"<small>{html.escape(defaults['noValue'])}</small>"]
    return f'<div class="value" style="{background}">{"<br>".join(texts)}</div>'


class Plot:
    """The axes of a panel of time series."""

    def __init__(self, panel, series, size):
        self.defaults = panel["fieldConfig"]["defaults"]
        self.custom = self.defaults["custom"]
        self.width, self.height = size
        self.logarithmic = self.custom["scaleDistribution"]["type"] == "log"
        values = [value for _, points in series for value in points.values() if value > 0 or not self.logarithmic]
        low, high = min(values, default=0), max(values, default=1)
        if self.custom["thresholdsStyle"]["mode"] != "off":
            # A line far above the values would press them flat.
            high = max([high] + [one["value"] for one in self.defaults["thresholds"]["steps"][1:] if one["value"] < 4 * high])
        low, high = self.defaults.get("min", low), self.defaults.get("max", high)
        if self.logarithmic:
            self.marks = [10.0 ** power for power in range(math.floor(math.log10(low or 1)), math.ceil(math.log10(high)) + 1)]
        else:
            self.marks = ticks(low, high if high > low else low + 1, base=1024 if self.defaults["unit"] == "bytes" else 10)
        self.low, self.high = self.marks[0], max(self.marks[-1], self.marks[0] * 1.0001)

    def y(self, value):
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low or 1)
        return self.height - share * self.height


def draw_series(panel, source, width, height):
    left, bottom = 56, 56
    series = [found for target in panel["targets"] for found in source.series(target)]
    overrides = {one["matcher"]["options"]: {part["id"]: part["value"] for part in one["properties"]}
                 for one in panel["fieldConfig"]["overrides"]}
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked, totals, drawn = custom["stacking"]["mode"] == "normal", {}, []
    for name, points in series:
        floor = {at: totals.get(at, 0) for at in points} if stacked else {}
        tops = {at: value + floor.get(at, 0) for at, value in points.items()}
        totals.update(tops)
        drawn.append((name, floor, tops))
    plot = Plot(panel, [(name, tops) for name, _, tops in drawn], (width - left - 12, height - 22 - bottom))

    def x(at):
        return (at - source.start) / (source.end - source.start) * plot.width

    parts, keys = [axes(plot, source, x)], []
    for at, (name, floor, tops) in enumerate(drawn):
        look = overrides.get(name, {"color": {"fixedColor": PALETTE[at % len(PALETTE)]}})
        colour = shade(look["color"]["fixedColor"])
        keys.append(f'<span style="white-space: nowrap"><i style="background: {colour}"></i>{html.escape(name)}</span>')
        if custom["drawStyle"] == "bars":
            wide = max(2, x(source.start + source.step) - 1)
            for moment, top in tops.items():
                high = max(0, plot.y(floor.get(moment, plot.low)) - plot.y(top))
                parts.append(f'<rect x="{x(moment) - wide / 2:.1f}" y="{plot.y(top):.1f}" width="{wide:.1f}" '
                             f'height="{high:.1f}" fill="{colour}"/>')
        else:
            parts += [line(run, floor, plot, x, colour, look_of(custom, look)) for run in runs(tops, source.step)]
    if not series:
        parts.append(f'<text x="{plot.width / 2}" y="{plot.height / 2}" text-anchor="middle">No data</text>')
    return (f'<svg width="{width}" height="{height - 22}"><g transform="translate({left} 6)">{"".join(parts)}</g></svg>'
            f'<div class="key">{" ".join(keys[:14])}</div>')


def look_of(custom, override):
    return custom | {key.removeprefix("custom."): value for key, value in override.items() if key.startswith("custom.")}


def runs(points, step):
    """The points without gaps, run by run."""
    run, last = [], None
    for at, value in sorted(points.items()):
        if last is not None and at - last > 1.5 * step:
            yield run
            run = []
        run.append((at, value))
        last = at
    if run:
        yield run


def line(run, floor, plot, x, colour, custom):
    def path(values):
        points = []
        for at, value in values:
            if custom["lineInterpolation"] == "stepAfter" and points:
                points.append((x(at), points[-1][1]))
            points.append((x(at), plot.y(value)))
        return [f"{px:.1f},{py:.1f}" for px, py in points]

    top, bottom = path(run), path([(at, floor.get(at, plot.low)) for at, _ in run])
    dashes = " ".join(str(length) for length in custom.get("lineStyle", {}).get("dash", []))
    return (f'<polygon points="{" ".join(top + bottom[::-1])}" fill="{colour}" opacity="{custom["fillOpacity"] / 100}"/>'
            f'<polyline points="{" ".join(top)}" fill="none" stroke="{colour}" stroke-width="1.5" '
            f'stroke-dasharray="{dashes}"/>')


def axes(plot, source, x):
    parts = []
    for mark in plot.marks:
        text = number(mark, plot.defaults["unit"], None)
        parts.append(f'<path d="M0 {plot.y(mark):.1f}h{plot.width}" stroke="#2b2e34"/>'
                     f'<text x="-6" y="{plot.y(mark) + 3:.1f}" text-anchor="end">{html.escape(text)}</text>')
    for at in ticks(0, source.end - source.start, 6):
        if at <= source.end - source.start:
            moment = time.strftime("%H:%M:%S", time.gmtime(source.start + at))
            parts.append(f'<text x="{x(source.start + at):.1f}" y="{plot.height + 14}" text-anchor="middle">{moment}</text>')
    if plot.custom["thresholdsStyle"]["mode"] != "off":
        for one in plot.defaults["thresholds"]["steps"][1:]:
            if plot.low <= one["value"] <= plot.high:
                parts.append(f'<path d="M0 {plot.y(one["value"]):.1f}h{plot.width}" stroke="{shade(one["color"])}" '
                             'stroke-dasharray="6 4"/>')
    for at in source.reloads:
        if source.start <= at <= source.end:
            parts.append(f'<path d="M{x(at):.1f} 0v{plot.height}" stroke="#b877d9" stroke-dasharray="3 3"/>')
    return "".join(parts)


def main(address, dashboard, start, end, page):
    with open(dashboard, encoding="utf-8") as file:
        board = json.load(file)
    source = Source(address, float(start), float(end))
    found = source.ask("query_range", board["annotations"]["list"][0]["expr"], start=source.start, end=source.end, step=1)
    source.reloads = {float(value) / 1000 for one in found for _, value in one["values"]}
    parts = [f'<h1>{html.escape(board["title"])}</h1>'
             '<div class="label">drawn from the queries, not by Grafana</div>']
    for panel in board["panels"]:
        place = panel["gridPos"]
        width, height = place["w"] * CELL - GAP, place["h"] * LINE - GAP
        spot = f'left: {place["x"] * CELL + 6}px; top: {place["y"] * LINE + 36}px'
        if panel["type"] == "row":
            parts.append(f'<div class="row" style="{spot}">{html.escape(panel["title"])}</div>')
            continue
        inside = draw_stat(panel, source) if panel["type"] == "stat" else draw_series(panel, source, width, height)
        parts.append(f'<div class="panel" style="{spot}; width: {width}px; height: {height}px">{inside}'
                     f'<div class="title" style="position: relative">{html.escape(panel["title"])}</div></div>')
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * LINE + 44
    with open(page, "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{"".join(parts)}')
    print(24 * CELL + 6, bottom)


main(*sys.argv[1:])
