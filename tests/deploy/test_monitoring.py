"""The alerts and the dashboard: valid, documented, and about what a real receiver tells a real Prometheus."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import jsonschema
import psycopg
import pytest
import requests
import yaml

from app.records import sightings
from app.records.sightings import Seen
from release.manifests import COPIED
from tests.support.history_rows import add_history
from tests.support.manifests import CHART, rendered, the
from tests.support.paths import DOCS, ROOT
from tests.support.processes import TIME_LIMIT
from tests.support.prometheus import JOB, promtool, scraping
from tests.support.receiver import API_TOKEN, LocalReceiver, configuration, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process
FOLDER = ROOT / "deploy" / "prometheus"
ALERTS = FOLDER / "alerts.yml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads(
    (ROOT / "deploy/grafana/pact-dispatch.json").read_text(encoding="utf-8")
)
SCHEMA = json.loads((ROOT / "tests/deploy/schemas/grafana_dashboard.json").read_text(encoding="utf-8"))
PAGE = (DOCS / "monitoring.md").read_text(encoding="utf-8")
METRIC = re.compile(r"\bpact_dispatch_\w+")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_promtool_takes_the_rules_and_finds_that_they_fire_when_they_should() -> None:
    checked = promtool("check", "rules", str(ALERTS))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tests = sorted(FOLDER.glob("*_test.yml"))
    tested = promtool("test", "rules", *map(str, tests))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    text = "".join(file.read_text(encoding="utf-8") for file in tests)
    for rule in RULES:
        assert rule.get("alert", "Pact") in text, "each one fires once"


def test_the_chart_has_the_same_rules_and_the_same_dashboard() -> None:
    for copy, original in COPIED.items():
        assert copy.read_text(encoding="utf-8") == original.read_text(encoding="utf-8"), "run make manifests"
    found = rendered({"monitoring": {"alerts": True, "dashboard": True}})
    assert the(found, "PrometheusRule")["spec"] == yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    [text] = the(found, "ConfigMap", "-dashboard")["data"].values()
    assert json.loads(text) == DASHBOARD


def test_each_alert_says_what_to_do_and_has_its_part_of_the_page() -> None:
    for rule in RULES:
        if "alert" not in rule:
            continue
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        notes = rule["annotations"]
        assert {"summary", "description", "runbook_url"} == notes.keys()
        _, _, anchor = notes["runbook_url"].partition("/blob/main/docs/monitoring.md#")
        assert anchor == rule["alert"].lower()
        assert f"### {rule['alert']}\n" in PAGE


def test_the_dashboard_is_one_of_grafana() -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(DASHBOARD)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], (
            one,
            other,
        )
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert (
                panel["datasource"] == target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            )
            assert 'job=~"$job"' in target["expr"]
            assert re.match(r"(max|min|count|histogram_quantile|topk)\b", target["expr"]), (
                "each web process tells the figures of all"
            )


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory, module_database_url: str) -> Iterator[LocalReceiver]:
    text = configuration("http://broker.example.org", {"base_url": "http://127.0.0.1:1", "version": "1"})
    add_history(module_database_url, runs=40, refused=3)
    with psycopg.connect(module_database_url) as connection:
        sightings.note(connection, Seen.BROKER, {"error": None})
        expires = datetime.now(UTC) + timedelta(days=3)
        sightings.note(connection, Seen.GITHUB_TOKEN, {"expires": expires.isoformat()})
    folder = tmp_path_factory.mktemp("receiver")
    with LocalReceiver(folder, text, command="web", database_url=module_database_url) as found:
        yield found


def scraped(receiver: LocalReceiver) -> str:
    answer = requests.get(
        f"{receiver.url}/metrics", headers={"Authorization": f"Bearer {API_TOKEN}"}, timeout=TIME_LIMIT
    )
    assert answer.status_code == 200
    return answer.text


def test_every_figure_that_is_used_is_told_and_every_one_that_is_told_is_explained(
    receiver: LocalReceiver,
) -> None:
    text = scraped(receiver)
    told = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    used = {
        SUFFIX.sub("", name)
        for source in (
            ALERTS.read_text(encoding="utf-8"),
            json.dumps(DASHBOARD),
            (FOLDER / "adapter.yml").read_text(encoding="utf-8"),
            (CHART / "values.yaml").read_text(encoding="utf-8"),
            (CHART / "templates" / "autoscaling.yaml").read_text(encoding="utf-8"),
        )
        for name in METRIC.findall(source)
    }
    assert used <= told
    shown = {SUFFIX.sub("", name) for name in METRIC.findall(json.dumps(DASHBOARD))}
    assert told == shown, "the dashboard shows all: add a panel to deploy/grafana, and run make manifests"
    for name in told:
        assert f"`{name}" in PAGE, name
    checked = promtool("check", "metrics", text=text)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_real_prometheus_takes_the_rules_and_each_panel_has_its_figures(
    receiver: LocalReceiver, tmp_path: Path
) -> None:
    with scraping(tmp_path, receiver.url, API_TOKEN, ALERTS) as prometheus:
        for panel in panels():
            for target in panel["targets"]:
                expression = target["expr"].replace("$job", ".+").replace("$__rate_interval", "1m")
                may_be_empty = "topk" in expression or "notifications" in expression
                if may_be_empty:
                    prometheus.ask("query", query=expression)
                else:
                    prometheus.figures(expression)
        queries = [
            the(rendered({"worker": {"autoscaling": {"enabled": True, **more}}}), "ScaledObject")["spec"][
                "triggers"
            ][0]["metadata"]["query"]
            for more in ({}, {"by": "possible", "labels": {"job": JOB}})
        ]
        adapter = yaml.safe_load((FOLDER / "adapter.yml").read_text(encoding="utf-8"))
        for rule in adapter["rules"]["external"]:
            name = rule["name"]["as"]
            query = rule["metricsQuery"].replace("<<.Series>>", name)
            queries.append(query.replace("<<.LabelMatchers>>", f'job="{JOB}"').replace("<<.GroupBy>>", "job"))
        for query in queries:
            [value] = prometheus.figures(query)
            assert float(value["value"][1]) >= 0

        def evaluated() -> Any:
            groups = prometheus.ask("rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            return rules if all(rule["health"] != "unknown" for rule in rules) else None

        rules = wait_until(evaluated, "all rules are evaluated")
        assert {rule["name"] for rule in rules} >= {rule["alert"] for rule in RULES if "alert" in rule}
        assert [rule for rule in rules if rule["health"] != "ok"] == []
        [token] = [rule for rule in rules if rule["name"] == "PactDispatchTokenExpires"]
        [alert] = token["alerts"]
        assert alert["annotations"]["summary"].startswith("The token for github expires in 2d 23h")
