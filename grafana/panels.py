"""The parts that the dashboards are made of, in the form that Grafana reads."""

# Grafana 10.4 writes this version of the form; later ones read it.
SCHEMA_VERSION = 39
TAG = "rembg-gateway"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Stands for the chosen gateways in the queries below.
CHOSEN = 'job=~"$job",instance=~"$instance"'
# The routes on which pictures are asked for.
PICTURES = 'route=~"rmbg|removebg|rembg"'

GREEN, YELLOW, ORANGE, RED, BLUE, PURPLE, GREY = "green", "yellow", "orange", "red", "blue", "purple", "#8e8e8e"


def expression(text):
    """The query with its short forms written out: `@` is the choice of gateways, `PICTURES` that of routes."""
    return text.replace("@", CHOSEN).replace("PICTURES", PICTURES)


def quantile(share, histogram, by="", choice="@"):
    """A quantile of a histogram over all chosen gateways, by labels such as `backend`."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{choice}}}[$__rate_interval])))"


def mean(histogram, by, choice="@"):
    """The mean of a histogram by a label."""
    sums, counts = (f"sum by ({by}) (rate({histogram}_{part}{{{choice}}}[$__rate_interval]))" for part in ("sum", "count"))
    return f"{sums} / {counts}"


def rate(counter, by="", choice="@"):
    """Events a second over all chosen gateways, by labels."""
    grouped = f" by ({by}) " if by else ""
    return f"sum{grouped}(rate({counter}{{{choice}}}[$__rate_interval]))"


def steps(*limits):
    """Colours by value: green, then for each pair of a value and a colour that colour from that value on."""
    return {"mode": "absolute", "steps": [{"color": GREEN, "value": None}, *colours(limits)]}


def falling(lowest, *limits):
    """The same for values that are worse the lower they are: the colour of the lowest comes first."""
    return {"mode": "absolute", "steps": [{"color": lowest, "value": None}, *colours(limits)]}


def colours(limits):
    return [{"color": colour, "value": value} for value, colour in limits]


def targets(queries, instant):
    found = []
    for number, (text, legend) in enumerate(queries):
        found.append({
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": expression(text),
            "instant": instant,
            "legendFormat": legend,
            "range": not instant,
            "refId": chr(ord("A") + number),
        })
    return found


def row(title):
    """A heading; what follows is below it."""
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def stat(title, description, unit, query, thresholds=None, *, legend="", words=None, decimals=None, width=3,
         empty="none"):
    """A single value. `words` gives values a text and a colour, `empty` is shown without any value."""
    defaults = {
        "unit": unit,
        "noValue": empty,
        "color": {"mode": "thresholds"},
        "thresholds": thresholds or {"mode": "absolute", "steps": [{"color": BLUE, "value": None}]},
        "mappings": [],
    }
    if words:
        options = {str(value): {"text": text, "color": colour, "index": at} for at, (value, text, colour) in enumerate(words)}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if decimals is not None:
        defaults["decimals"] = decimals
    return {
        "type": "stat",
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": targets([(query, legend)], True),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "colorMode": "background" if thresholds or words else "value",
            "graphMode": "none",
            "justifyMode": "center",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value_and_name" if legend else "value",
        },
        "gridPos": {"w": width, "h": 4},
    }


def series(title, description, unit, *queries, thresholds=None, stacked=False, bars=False, colours_by_name=None,
           logarithmic=False, least=0, most=None, width=8, step=False):
    """Values over time. Thresholds are drawn as lines; series of a known name keep their colour."""
    custom = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 25 if stacked else 8,
        "lineWidth": 1,
        "lineInterpolation": "stepAfter" if step else "linear",
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "scaleDistribution": {"type": "log", "log": 10} if logarithmic else {"type": "linear"},
        "thresholdsStyle": {"mode": "line" if thresholds else "off"},
    }
    defaults = {
        "unit": unit,
        "color": {"mode": "palette-classic"},
        "custom": custom,
        "thresholds": thresholds or {"mode": "absolute", "steps": [{"color": GREEN, "value": None}]},
    }
    if least is not None and not logarithmic:
        defaults["min"] = least
    if most is not None:
        defaults["max"] = most
    overrides = [override(name, colour) for name, colour in (colours_by_name or {}).items()]
    return {
        "type": "timeseries",
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "targets": targets(queries, False),
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "gridPos": {"w": width, "h": 8},
    }


def override(name, colour):
    """The look of a series of this name. A limit is a broken line."""
    properties = [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]
    if name == "limit":
        properties.append({"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}})
        properties.append({"id": "custom.fillOpacity", "value": 0})
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def placed(panels):
    """The panels from left to right, a new line where one does not fit, each with a number of its own."""
    x = y = line = 0
    for number, panel in enumerate(panels, 1):
        place = panel["gridPos"]
        if x + place["w"] > 24:
            x, y = 0, y + line
            line = 0
        panel["id"] = number
        panel["gridPos"] = {"h": place["h"], "w": place["w"], "x": x, "y": y}
        x, line = x + place["w"], max(line, place["h"])
    return panels


def variable(name, label, query):
    """A choice of several label values, all of them at first."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "allValue": ".+",
        "includeAll": True,
        "multi": True,
        "hide": 0,
        "options": [],
        "refresh": 2,
        "regex": "",
        "skipUrlSync": False,
        "sort": 1,
    }


def reloads():
    """A line at each moment when a gateway took a new configuration, its start included."""
    return {
        "name": "Configuration loaded",
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": PURPLE,
        "expr": expression("rgw_config_last_reload_success_timestamp_seconds{@} * 1000"),
        "step": "60s",
        "titleFormat": "Configuration loaded",
        "textFormat": "{{instance}}",
        "tagKeys": "instance",
        "useValueForTime": True,
    }


def dashboard(uid, title, description, panels):
    """A whole dashboard."""
    source = {
        "type": "datasource",
        "name": "datasource",
        "label": "Prometheus",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
    }
    links = {
        "type": "dashboards",
        "title": "rembg-gateway",
        "tags": [TAG],
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "tooltip": "",
        "url": "",
    }
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "fiscalYearStartMonth": 0,
        "links": [links],
        "annotations": {"list": [reloads()]},
        "templating": {
            "list": [
                source,
                variable("job", "Job", "label_values(rgw_build_info, job)"),
                variable("instance", "Gateway", 'label_values(rgw_build_info{job=~"$job"}, instance)'),
            ]
        },
        "panels": placed(panels),
    }
