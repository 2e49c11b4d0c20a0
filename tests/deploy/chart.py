"""Renders the Helm chart with several values and judges every object, as Helm and Kubernetes would.

Objects of Kubernetes' own are held against its published schemas; those of the Prometheus Operator against what it needs of
them, as their schemas are in no package of a registry.
"""

import json
import pathlib
import sys
import tarfile
import tempfile

import kubernetes_validate
import yaml
from helm_python import chart

CHART = "deploy/helm/rembg-gateway"
VERSIONS = ["1.27.0", "1.37.0"]
PEPPER = {"REMBG_GATEWAY__AUTH__API_KEY__PEPPER": {"name": "gateway", "key": "pepper"}}
REDIS = {"store": {"kind": "redis", "urlSecret": {"name": "gateway"}}, "secretEnv": PEPPER}

RUNBOOK = "https://git.example.com/rembg-gateway/blob/main/"
# Each switch that is off by default, what it needs, and the objects that it adds.
SWITCHES = [
    ({"serviceMonitor": {"enabled": True}}, ["ServiceMonitor"]),
    ({"prometheusRule": {"enabled": True}}, ["PrometheusRule", "PrometheusRule"]),
    ({"dashboards": {"enabled": True}}, ["ConfigMap"] * 4),
    ({"networkPolicy": {"enabled": True}}, ["NetworkPolicy"]),
    ({"ingress": {"enabled": True, "host": "api.example.com"}}, ["Ingress"]),
]

EVERYTHING = {
    **REDIS,
    "replicas": 3,
    "secretFiles": {"tls": {"name": "gateway-tls"}},
    "env": {"REMBG_GATEWAY__LOG__FORMAT": "json"},
    "imagePullSecrets": [{"name": "registry"}],
    "podLabels": {"team": "pictures"},
    "podAnnotations": {"example.com/note": "yes"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
         "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "rembg-gateway"}}}
    ],
    "volume": {"storageClass": "fast"},
    "ingress": {"enabled": True, "className": "nginx", "host": "api.example.com", "tlsSecret": "api-tls"},
    "autoscaling": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "runbookUrl": RUNBOOK},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "rembg-gateway"}},
}

# Values, and a part of what the chart says when it refuses them.
REFUSED = [
    ({"replicas": 2}, "store.kind is sqlite"),
    ({"autoscaling": {"enabled": True}}, "store.kind is sqlite"),
    ({"store": {"kind": "redis"}, "secretEnv": PEPPER}, "store.urlSecret.name"),
    ({"store": REDIS["store"]}, "pepper"),
    ({**REDIS, "autoscaling": {"enabled": True, "minReplicas": 9}}, "minReplicas"),
    ({"ingress": {"enabled": True}}, "ingress.host"),
    ({"networkPolicy": {"enabled": True}, "serviceMonitor": {"enabled": True}}, "networkPolicy.metricsFrom"),
    ({"prometheusRule": {"runbookUrl": "docs"}}, "runbookUrl"),
    ({"replica": 1}, "replica"),
    ({"store": {"kind": "postgres"}}, "kind"),
    ({"secretEnv": {"PASSWORD": {"name": "a", "key": "b"}}}, "PASSWORD"),
]


def objects(values):
    loaded = chart.Chart.load(CHART)
    loaded.validate_schema(loaded.merge_values(values))
    rendered = loaded.render(values, name="pictures", namespace="shop")
    found = []
    for name, text in rendered.items():
        if name.endswith(".yaml"):
            found += [one for one in yaml.safe_load_all(text) if one]
    return found, rendered["rembg-gateway/templates/NOTES.txt"]


def judge(found):
    for one in found:
        kind = one["kind"]
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "pictures", kind
        if one["apiVersion"].startswith("monitoring.coreos.com/"):
            {"ServiceMonitor": judge_monitor, "PrometheusRule": judge_rules}[kind](one, found)
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(one, version, strict=True)


def judge_monitor(monitor, found):
    """A monitor must select a service that has the port it names."""
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    chosen = [one for one in found if one["kind"] == "Service" and wanted <= one["metadata"]["labels"].items()]
    assert len(chosen) == 1, chosen
    ports = {port["name"] for port in chosen[0]["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports


def judge_rules(rules, found):
    """The operator takes `groups` as Prometheus does, and names must be labels of DNS."""
    name = rules["metadata"]["name"]
    assert len(name) <= 63 and name.rpartition("-")[2] in ("recording", "alerts"), name
    assert set(rules["spec"]) == {"groups"}, rules["spec"].keys()
    for group in rules["spec"]["groups"]:
        assert set(group) <= {"name", "interval", "rules"}, group.keys()
        for rule in group["rules"]:
            assert ("alert" in rule) != ("record" in rule) and isinstance(rule["expr"], str), rule


def judge_copies(found):
    """The rules and dashboards are those of the repository, but for the address of the runbook."""
    for name in ("recording", "alerts"):
        original = yaml.safe_load(pathlib.Path(f"deploy/prometheus/{name}.yaml").read_text())
        (rules,) = [one for one in found if one["kind"] == "PrometheusRule" and one["metadata"]["name"].endswith(name)]
        text = json.dumps(rules["spec"])
        assert text.count(RUNBOOK + "docs/operations.md#") == text.count("runbook_url"), "every alert has its section"
        assert json.loads(text.replace(RUNBOOK, "")) == original, f"{name}: files/ is not what it should be"
    maps = [one for one in found if one["kind"] == "ConfigMap" and one["metadata"]["labels"].get("grafana_dashboard") == "1"]
    rendered = {name: text for one in maps for name, text in one["data"].items()}
    originals = {path.name: path.read_text() for path in pathlib.Path("grafana/dashboards").glob("*.json")}
    assert rendered == originals, "files/ is not what it should be"
    assert len({one["metadata"]["name"] for one in maps}) == len(maps) == 4


def judge_package():
    """What is packaged has the files that are links here."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(chart.package(CHART, destination=folder)) as packed:
            held = {member.name: packed.extractfile(member).read() for member in packed if member.isfile()}
    originals = [pathlib.Path(f"deploy/prometheus/{name}.yaml") for name in ("alerts", "recording")]
    for path in originals:
        assert held[f"rembg-gateway/files/{path.name}"] == path.read_bytes(), path
    for path in pathlib.Path("grafana/dashboards").glob("*.json"):
        assert held[f"rembg-gateway/files/dashboards/{path.name}"] == path.read_bytes(), path


def judge_policy(found):
    """Callers reach the public port alone; whoever is named reaches the other one alone."""
    callers, operators = only(found, "NetworkPolicy")["spec"]["ingress"]
    assert [port["port"] for port in callers["ports"]] == ["public"] and "from" not in callers
    assert [port["port"] for port in operators["ports"]] == ["admin"]
    assert operators["from"] == EVERYTHING["networkPolicy"]["metricsFrom"]
    named = {port["name"] for port in only(found, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert named == {"public", "admin"}


def judge_switches(least):
    for values, added in SWITCHES:
        found, _ = objects(values)
        judge(found)
        kinds = sorted([one["kind"] for one in found])
        assert kinds == sorted([one["kind"] for one in least] + added), values


def judge_grace():
    for times in ({}, {"drainDelay": 0}, {"drainDelay": 30, "uploadTimeout": 10, "backendTimeout": 600}):
        found, _ = objects({"times": times})
        whole = {"drainDelay": 5, "uploadTimeout": 300, "backendTimeout": 120, **times}
        longest = whole["uploadTimeout"] + whole["backendTimeout"] + 30
        grace = only(found, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace == whole["drainDelay"] + longest + 20, times


def only(found, kind):
    (one,) = [one for one in found if one["kind"] == kind]
    return one


def main():
    linted = chart.lint(CHART, strict=True)
    assert not linted["errors"], linted
    assert all(message["severity"] < 2 for message in linted["messages"]), linted

    found, notes = objects({})
    judge(found)
    assert sorted({one["kind"] for one in found}) == ["ConfigMap", "Service", "ServiceAccount", "StatefulSet"]
    assert all(command in notes for command in ("rollout status", "user add", "key create", "doctor")), notes
    pod = only(found, "StatefulSet")["spec"]["template"]["spec"]
    assert pod["enableServiceLinks"] is False
    container = pod["containers"][0]
    set_here = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert set_here["REMBG_GATEWAY__LISTEN__DRAIN_DELAY_S"] == "5", "callers are sent elsewhere first"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    # tests/process/deploy.rs compares this with what the program says.
    assert container["resources"]["limits"]["memory"] == "4Gi"
    written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"/var/lib/rembg-gateway", "/tmp"}

    judge_switches(found)
    judge_grace()
    judge_package()

    found, _ = objects(EVERYTHING)
    judge(found)
    judge_copies(found)
    judge_policy(found)
    kinds = {one["kind"] for one in found}
    assert kinds >= {"HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "ServiceMonitor", "PrometheusRule"}
    assert "replicas" not in only(found, "StatefulSet")["spec"], "the autoscaler decides"
    secrets = [entry for entry in only(found, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["env"]
               if "PEPPER" in entry["name"] or "STORE__URL" in entry["name"]]
    assert len(secrets) == 2 and all("valueFrom" in entry for entry in secrets), secrets

    found, _ = objects({**REDIS, "replicas": 3})
    judge(found)
    assert only(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1

    for values, word in REFUSED:
        try:
            objects(values)
        except Exception as refusal:  # The library has a class of its own for each of Helm's faults.
            assert word in str(refusal), f"{values}: {refusal}"
        else:
            sys.exit(f"the chart takes {values}")
    print("the chart is what it should be")


main()
