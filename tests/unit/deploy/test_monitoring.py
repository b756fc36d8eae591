"""What is deployed beside Gradeline to watch it: it can be read, it names what is told, and each alert has its runbook."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api import gauges
from api.http_metrics import Requests
from worker.metrics import Counted
from worker.metrics_port import Family

ROOT = Path(__file__).parents[3]
PROMETHEUS, GRAFANA = ROOT / "deploy/prometheus", ROOT / "deploy/grafana"
# Prometheus makes these itself.
OWN = {"up", "ALERTS"}
WORD = re.compile(r"\b(?:gradeline_[a-z_]+|up|ALERTS)\b")


def promtool(*arguments: str) -> None:
    program = shutil.which("promtool")
    if program is None:
        assert "promtool" not in os.environ.get("GRADELINE_REQUIRE", ""), "promtool is required here and missing"
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    done = subprocess.run(
        [program, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def families() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Everything that is told, by the name that stands in an expression: its kind, labels and help."""
    counted, requests = Counted(), Requests()
    labels = {
        collector._name: tuple(collector._labelnames)
        for each in (counted, requests)
        for collector in vars(each).values()
        if hasattr(collector, "_labelnames")
    }
    metrics = [*counted.registry.collect(), *requests._own.collect(), *Family().collect()]
    found = {m.name: (m.type, labels.get(m.name, ()), m.documentation) for m in metrics}
    found |= {g.name: ("gauge", g.labels, g.help) for g in gauges.ALL}
    return {f"{name}_total" if kind[0] == "counter" else name: kind for name, kind in found.items()}


def told() -> set[str]:
    """The names of series."""
    names = set(OWN)
    for name, (kind, _, _) in families().items():
        names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names


def panels() -> list[dict]:
    return json.loads((GRAFANA / "dashboards/gradeline.json").read_text())["panels"]


def rules() -> list[tuple[str, str]]:
    """Each alert with the text of its rule."""
    parts = re.split(r"^ +- alert: ", (PROMETHEUS / "rules.yml").read_text(), flags=re.M)[1:]
    return [(part.split("\n", 1)[0], part) for part in parts]


def test_prometheus_can_read_the_rules_and_the_configuration():
    promtool("check", "rules", "rules.yml")
    promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_every_alert_fires_for_what_it_is_there_for_and_none_in_a_system_that_is_well():
    tested = set(re.findall(r"alertname: (\w+)", (PROMETHEUS / "rules_test.yml").read_text()))
    assert tested == {name for name, _ in rules()}
    promtool("test", "rules", "rules_test.yml")


def test_rules_ask_for_nothing_that_nobody_tells():
    asked = set(WORD.findall("\n".join(text.split("annotations:")[0] for _, text in rules())))
    assert asked >= {"gradeline_queue_oldest_seconds", "up"}
    assert asked <= told(), asked - told()


def test_the_dashboard_asks_for_nothing_that_nobody_tells_and_shows_nearly_everything():
    expressions = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    asked = {name for expression in expressions for name in WORD.findall(expression)}
    assert asked <= told(), asked - told()
    of_family = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    unseen = set(families()) - of_family
    assert unseen <= {"gradeline_queue_running", "gradeline_worker_children"}


def test_panels_of_the_dashboard_lie_beside_each_other_and_have_ids_of_their_own():
    ids, taken = [panel["id"] for panel in panels()], {}
    assert len(ids) == len(set(ids)) > 30
    for panel in panels():
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24 and taken.setdefault((x, y), panel["title"]) == panel["title"]
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] in (GRAFANA / "provisioning/datasources/prometheus.yml").read_text()
            assert panel["targets"]


def test_every_metric_has_a_line_in_the_documentation_that_says_what_the_code_says():
    lines = re.findall(r"^\| `(gradeline_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", read("docs/operations.md"), re.M)
    listed = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), what) for name, kind, labels, what in lines}
    assert listed == families()


def test_every_alert_has_a_runbook_and_points_to_it():
    sections = re.findall(r"^### (Gradeline\w+)$", read("docs/operations.md"), re.M)
    assert sections == [name for name, _ in rules()]
    for name, text in rules():
        assert f"runbook: docs/operations.md#{name.lower()}" in text
        assert re.search(r"severity: (critical|warning)", text)


def read(name: str) -> str:
    return (ROOT / name).read_text()
