"""The manifests: valid, locked down, and in agreement with each other, with the settings and with the metrics."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from broker.queues import DEVICES, LANES, queue_name
from broker.settings import EMBEDDED_MODEL, BrokerSettings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu")
VERSIONS = ("1.30", "1.37")
OTHERS = {"MPLCONFIGDIR"}  # of a library
# Of KEDA's CRD, what is used here (keda.sh/docs/latest/reference/scaledobject-spec); no library has it.
TRIGGER = {
    "type": "object", "additionalProperties": False, "required": ["type", "metadata"],
    "properties": {
        "type": {"const": "prometheus"},
        "metadata": {
            "type": "object", "additionalProperties": {"type": "string"}, "required": ["serverAddress", "query", "threshold"],
        },
    },
}  # fmt: skip
COUNT = {"type": "integer", "minimum": 0}
SCALED_OBJECT = {
    "type": "object", "additionalProperties": False, "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {"type": "object", "required": ["name"], "additionalProperties": False,
                           "properties": {"name": {"type": "string"}}},
        "minReplicaCount": COUNT, "maxReplicaCount": COUNT, "pollingInterval": COUNT, "cooldownPeriod": COUNT,
        "fallback": {"type": "object", "additionalProperties": False, "required": ["failureThreshold", "replicas"],
                     "properties": {"failureThreshold": COUNT, "replicas": COUNT}},
        "advanced": {"type": "object", "additionalProperties": False,
                     "properties": {"horizontalPodAutoscalerConfig": {"type": "object"}}},
        "triggers": {"type": "array", "minItems": 1, "items": TRIGGER},
    },
}  # fmt: skip


def files() -> list[Path]:
    return [path for path in sorted(FOLDER.rglob("*.yaml")) if path.name != "kustomization.yaml"]


def documents(*paths: Path) -> Iterator[dict[str, Any]]:
    for path in paths:
        yield from (each for each in yaml.safe_load_all(path.read_text()) if each)


def rendered(overlay: str) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    kustomize = next((c for c in (["kubectl", "kustomize"], ["kustomize", "build"]) if shutil.which(c[0])), None)
    if kustomize is None:
        pytest.skip("neither kubectl nor kustomize is here; the files are checked one by one all the same")
    folder = FOLDER / ("base" if overlay == "base" else f"overlays/{overlay}")
    done = subprocess.run([*kustomize, str(folder)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


MADE = [each for path in files() if path.name != "secret.example.yaml" for each in documents(path)]
PODS = {each["metadata"]["name"]: each for each in MADE if each["kind"] in ("Deployment", "Job")}


def template(name: str) -> dict[str, Any]:
    return dict(PODS[name]["spec"]["template"])


def containers(name: str) -> list[dict[str, Any]]:
    spec = template(name)["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def valid(document: dict[str, Any], version: str) -> None:
    if document["kind"] == "ScaledObject":
        Draft202012Validator(SCALED_OBJECT).validate(document["spec"])
    else:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version):
    assert len(PODS) == 5
    for document in MADE:
        valid(document, version)


@pytest.mark.parametrize("overlay", ["base", *OVERLAYS])
def test_what_an_overlay_makes_is_valid_and_in_one_namespace(overlay):
    made = rendered(overlay)
    for document in made:
        valid(document, VERSIONS[-1])
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "gradeline"
    names = {each["metadata"]["name"] for each in made if each["kind"] == "Deployment"}
    assert ("gradeline-worker-gpu" in names) == (overlay == "gpu")
    for document in made:
        if document["kind"] in ("Deployment", "Job"):
            spec = document["spec"]["template"]["spec"]
            for container in [*spec.get("initContainers", []), *spec["containers"]]:
                assert re.fullmatch(r"gradeline-(api|worker):[\w.-]+", container["image"]), container["image"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_apply_does_not_set_back_what_keda_decides(overlay):
    made = rendered(overlay)
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in made if each["kind"] == "ScaledObject"}
    deployments = {each["metadata"]["name"]: each for each in made if each["kind"] == "Deployment"}
    assert scaled == {name for name in deployments if "worker" in name}
    assert not any("replicas" in deployments[name]["spec"] for name in scaled)


@pytest.mark.parametrize("name", sorted(PODS))
def test_every_pod_is_locked_down(name):
    spec = template(name)["spec"]
    pod = spec["securityContext"]
    assert pod["runAsNonRoot"] is True and pod["runAsUser"] == pod["runAsGroup"] == 10001
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False and spec["serviceAccountName"] == "gradeline"
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert {
        "name": "tmp",
        "emptyDir": {"medium": "Memory", "sizeLimit": spec["volumes"][0]["emptyDir"]["sizeLimit"]},
    } in spec["volumes"]
    assert not any("hostPath" in volume for volume in spec["volumes"])
    for container in containers(name):
        own = container["securityContext"]
        assert own == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert {"tmp", "ca"} == {each["name"] for each in container["volumeMounts"]}


def test_settings_are_those_of_env_example():
    known = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M)) | OTHERS
    config = next(each for each in MADE if each["kind"] == "ConfigMap")["data"]
    used = {each["name"] for name in PODS for container in containers(name) for each in container["env"]}
    assert set(config) <= known and used <= known, (set(config) | used) - known


def test_addresses_come_from_the_secret_alone():
    example = next(documents(FOLDER / "secret.example.yaml"))
    for name in PODS:
        for container in containers(name):
            for each in container["env"]:
                if "_URL" in each["name"] or "TOKEN" in each["name"]:
                    asked = each["valueFrom"]["secretKeyRef"]
                    assert asked["name"] == example["metadata"]["name"] and asked["key"] in example["data"]
    migrate = {each["name"]: each for each in containers("gradeline-migrate")[0]["env"]}
    assert migrate["DATABASE_URL"]["valueFrom"]["secretKeyRef"]["key"] == "MIGRATE_DATABASE_URL"


def test_the_example_of_the_secret_is_refused_as_it_stands():
    example = next(documents(FOLDER / "secret.example.yaml"))
    for value in example["data"].values():
        with pytest.raises(binascii.Error):  # as Kubernetes reads it
            base64.b64decode(value, validate=True)
    used = [path.read_text() for path in FOLDER.rglob("kustomization.yaml")]
    assert not any("secret.example" in text for text in used)


def test_selectors_fit_labels_and_ports_fit_names():
    for name, document in PODS.items():
        if document["kind"] == "Deployment":
            assert document["spec"]["selector"]["matchLabels"] == template(name)["metadata"]["labels"]
    labels = [template(name)["metadata"]["labels"] for name in PODS]
    service = next(each for each in MADE if each["kind"] == "Service")
    assert service["spec"]["selector"] == template("gradeline-api")["metadata"]["labels"]
    ports = {port["name"] for name in PODS for each in containers(name) for port in each.get("ports", [])}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for policy in (each for each in MADE if each["kind"] in ("NetworkPolicy", "PodDisruptionBudget")):
        chosen = policy["spec"].get("podSelector", policy["spec"].get("selector"))
        assert any(_chooses(chosen, each) for each in labels), policy["metadata"]["name"]
        for rule in policy["spec"].get("ingress", []):
            assert {port["port"] for port in rule["ports"]} <= ports


def _chooses(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return wanted and all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def test_nothing_is_reached_that_no_policy_allows():
    policies = {each["metadata"]["name"]: each["spec"] for each in MADE if each["kind"] == "NetworkPolicy"}
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    open_to_all = [rule for spec in policies.values() for rule in spec.get("ingress", []) if "from" not in rule]
    assert open_to_all == []


@pytest.mark.parametrize("name", [name for name in sorted(PODS) if PODS[name]["kind"] == "Deployment"])
def test_a_pod_has_the_time_that_its_process_takes_to_stop(name):
    config = next(each for each in MADE if each["kind"] == "ConfigMap")["data"]
    grace = float(config.get("GRADELINE_WORKER_GRACE_S", BrokerSettings.model_fields["worker_grace_s"].default))
    (main,) = template(name)["spec"]["containers"]
    wait = main.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    needed = wait + (10 if name == "gradeline-api" else grace)
    assert template(name)["spec"]["terminationGracePeriodSeconds"] > needed + 5
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(main)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_workers_follow_the_backlog_of_the_queues_that_they_consume(device):
    (scaled,) = [e for e in MADE if e["kind"] == "ScaledObject" and e["metadata"]["name"].endswith(device)]
    assert scaled["spec"]["scaleTargetRef"]["name"] in PODS
    assert scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    depth, oldest = (each["metadata"]["query"] for each in scaled["spec"]["triggers"])
    assert "gradeline_queue_depth" in depth and "gradeline_queue_oldest_seconds" in oldest
    for query, lanes in ((depth, LANES), (oldest, ("interactive",))):
        pattern = re.search(r'queue=~"([^"]+)"', query).group(1)
        for other in DEVICES:
            for lane in LANES:
                fits = re.fullmatch(pattern, queue_name(EMBEDDED_MODEL, other, lane)) is not None
                assert fits == (other in (device, "any") and lane in lanes)
