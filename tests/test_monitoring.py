"""What deploy/monitoring has for Prometheus and Grafana: checked by promtool, against what a tracker measures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

from tests.servers import ROOT, ServerProcess

MONITORING = ROOT / "deploy" / "monitoring"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")


def promtool(*arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["promtool", *arguments], cwd=MONITORING, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def panels() -> list[tuple[str, str]]:
    """List title and expression of each query of the Grafana dashboard."""
    dashboard = json.loads((MONITORING / "grafana.json").read_text())
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]


def measured(server: ServerProcess) -> set[str]:
    """List the names of what a tracker measures."""
    text = httpx.get(f"{server.base}/metrics", trust_env=False).text
    return set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))


@needs_promtool
def test_promtool_takes_configuration_and_rules() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


@needs_promtool
def test_alerts_come_when_they_should() -> None:
    promtool("test", "rules", "alerts_test.yml")


@needs_promtool
def test_promtool_takes_what_is_measured(server: ServerProcess) -> None:
    promtool("check", "metrics", given=httpx.get(f"{server.base}/metrics", trust_env=False).text)


@needs_promtool
def test_every_query_of_the_grafana_dashboard_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, (_, expression) in enumerate(panels())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(path))


def test_every_name_that_is_asked_for_is_measured(server: ServerProcess) -> None:
    asked = (MONITORING / "alerts.yml").read_text() + " ".join(expression for _, expression in panels())
    names = set(re.findall(r"\bpeerpool_[a-z_]+\b", asked))
    assert len(names) > 10
    known = measured(server)
    assert {name for name in names if name not in known and name.removesuffix("_total") not in known} == set()


def test_each_alert_says_how_bad_it_is_and_what_to_do() -> None:
    (group,) = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
