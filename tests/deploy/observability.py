"""Judges the dashboards and rules: Grafana's published types must read them, and each must tell an operator what it means."""

import json
import pathlib
import re

import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

FOLDER = pathlib.Path("grafana/dashboards")
# Fields of Prometheus's own annotations and variables, for which the dashboard's types have no names.
UNTYPED = re.compile(r"\.annotations\.list\[0\]\.(step|titleFormat|textFormat|tagKeys|useValueForTime)$"
                     r"|\.templating\.list\[\d\]\.definition$")
# A fixed range says what its panel says ("the last day"); all others follow the width of the screen.
FIXED_RANGES = {"1h", "6h", "1d"}


def lost(path, ours, theirs):
    """Everything of ours that Grafana's types have no place for."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from lost(f"{path}.{key}", value, theirs[key])
            elif value not in (None, [], {}) and not UNTYPED.search(f"{path}.{key}"):
                yield f"{path}.{key}"
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), path
        for at, (one, other) in enumerate(zip(ours, theirs)):
            yield from lost(f"{path}[{at}]", one, other)
    elif ours != theirs:
        yield f"{path}: {ours!r} is read as {theirs!r}"


def judge_panel(panel, where):
    assert len(panel["description"].split()) >= 3, f"{where} says nothing"
    assert panel["fieldConfig"]["defaults"]["unit"], where
    assert panel["datasource"]["uid"] == "${datasource}", where
    assert panel["targets"], where
    for target in panel["targets"]:
        query = target["expr"]
        assert target["datasource"]["uid"] == "${datasource}", where
        assert target["legendFormat"] or panel["type"] == "stat", f"{where}: {query} has no legend"
        for selector in re.findall(r"(?<![\w:])(?:rgw|process)_\w+(?:\{[^}]*\})?", query):
            if "(" not in selector:
                assert 'job=~"$job",instance=~"$instance"' in selector, f"{where}: {selector} ignores the choice"
        for recorded in re.findall(r"job:\w+:\w+(?:\{[^}]*\})?", query):
            assert 'job=~"$job"' in recorded, f"{where}: {recorded} ignores the choice"
        for width in re.findall(r"\[([^\]]+)\]", query):
            assert width == "$__rate_interval" or width in FIXED_RANGES, f"{where}: [{width}]"


def judge_places(panels, name):
    """No panel lies on another, and none is beyond the edge."""
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, f"{name}: {panel['title']} lies on another panel"
        taken |= cells


def judge_dashboards():
    files = sorted(FOLDER.glob("*.json"))
    assert [path.stem for path in files] == ["credits", "dependencies", "saturation", "service"], files
    plugins.register_default_plugins()
    for path in files:
        ours = json.loads(path.read_text())
        theirs = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
        assert not list(lost("", ours, theirs)), list(lost("", ours, theirs))
        assert (ours["id"], ours["uid"], ours["schemaVersion"]) == (None, f"rgw-{path.stem}", 39), path
        assert {one["name"] for one in ours["templating"]["list"]} == {"datasource", "job", "instance"}, path
        assert [link["tags"] for link in ours["links"]] == [ours["tags"]], path
        assert "rgw_config_last_reload_success_timestamp_seconds" in ours["annotations"]["list"][0]["expr"]
        panels = ours["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels), path
        titles = [panel["title"] for panel in panels if panel["type"] != "row"]
        assert len(set(titles)) == len(titles), f"{path}: {sorted(titles)}"
        judge_places(panels, path.name)
        for panel in panels:
            if panel["type"] != "row":
                judge_panel(panel, f"{path.name}, {panel['title']}")


def key(labels):
    return labels["alertname"], labels["severity"], labels.get("window")


def judge_tests(alerts):
    """Each alert fires in a test, and in the same test is silent at another moment."""
    seen = set()
    for path in sorted(pathlib.Path("deploy/prometheus/tests").glob("*.yaml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            moments = []
            for query in test["promql_expr_test"]:
                if query["expr"].startswith("sum by (alertname, ") and "severity" in query["expr"]:
                    labels = [dict(re.findall(r'(\w+)="([^"]*)"', one["labels"])) for one in query["exp_samples"]]
                    moments.append({key(one) for one in labels})
            seen |= {one for moment in moments for one in moment if any(one not in other for other in moments)}
    assert seen == alerts, f"without a test: {alerts - seen}; without an alert: {seen - alerts}"


def judge_alerts():
    sections = {}
    for section in pathlib.Path("docs/operations.md").read_text().split("\n### ")[1:]:
        title, _, text = section.partition("\n")
        sections[title.lower()] = text.split("\n## ")[0]
    rules = [rule for group in yaml.safe_load(pathlib.Path("deploy/prometheus/alerts.yaml").read_text())["groups"]
             for rule in group["rules"]]
    for rule in rules:
        name, notes = rule["alert"], rule["annotations"]
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        assert notes["summary"].endswith(".") and notes["description"].endswith("."), name
        assert notes["runbook_url"] == f"docs/operations.md#{name.lower()}", name
        text = sections[name.lower()]
        assert rule["labels"]["severity"] in text.partition("·")[0], f"{name}: another severity"
        for part in ("**Means**", "**Callers see**", "look at**", "do**"):
            assert part.lower() in text.lower(), f"{name}: its section has no {part}"
    names = {rule["alert"] for rule in rules}
    assert {name.lower() for name in names} == {name for name in sections if name.startswith("rgw")}, "sections without an alert"
    judge_tests({(rule["alert"], rule["labels"]["severity"], rule["labels"].get("window")) for rule in rules})


def judge_provisioning():
    (provider,) = yaml.safe_load(pathlib.Path("grafana/provisioning/dashboards/rembg-gateway.yaml").read_text())["providers"]
    (source,) = yaml.safe_load(pathlib.Path("grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert (provider["type"], source["type"]) == ("file", "prometheus")


judge_dashboards()
judge_alerts()
judge_provisioning()
print("the dashboards and rules are what they should be")
