"""What the chart makes for others: the Prometheus operator's resources, the alerts, Grafana's dashboard."""

import json
import re
import subprocess
from typing import Any, get_args

import promql_parser
import pytest
import yaml

from dev.chart import CHART
from lindorm_import.api.conditions import ConditionType
from local.bootstrap import REPOSITORY, Layout
from tests.ship.helm import Document, Helm, only

METRICS_PAGE = (REPOSITORY / "docs" / "metrics.md").read_text()
CAUSES = {"KeyRange", "Provisioned", "OnDemandMaximum", "Account", "Unknown"}


def checked(tools: Layout, documents: list[Document]) -> list[str]:
    """What tools/manifests has read of these, strictly, into the types of their own controllers."""
    text = "\n---\n".join(json.dumps(document) for document in documents)
    result = subprocess.run([tools.tools / "manifests", "-"], input=text, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_prometheus_operator_can_read_its_resources(helm: Helm, tools: Layout) -> None:
    rules = {"enabled": True, "labels": {"a": "b"}, "runbookUrl": "https://docs.example/alerts/"}
    with_pod = helm.template({"metrics": {"podMonitor": {"enabled": True}, "rules": rules}})
    with_service = helm.template({"metrics": {"serviceMonitor": {"enabled": True}}})
    assert checked(tools, with_pod) + checked(tools, with_service) == [
        "monitoring.coreos.com/v1 PodMonitor imports-lindorm-import",
        "monitoring.coreos.com/v1 PrometheusRule imports-lindorm-import",
        "monitoring.coreos.com/v1 ServiceMonitor imports-lindorm-import",
    ]


def test_a_field_that_its_controller_does_not_know_is_an_error(helm: Helm, tools: Layout) -> None:
    monitor = only(helm.template({"metrics": {"podMonitor": {"enabled": True}}}), "PodMonitor")
    monitor["spec"]["podMetricsEndpoint"] = []
    with pytest.raises(AssertionError, match="podMetricsEndpoint"):
        checked(tools, [monitor])


def alerts() -> list[Document]:
    found: list[Document] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    return found


def queries_of_dashboard() -> dict[str, str]:
    """Title of the panel and query, with Grafana's variables filled in as it does for All."""
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    return {
        f"{panel['title']}: {target['legendFormat']}": re.sub(r"\$(namespace|import)\b", ".+", target["expr"])
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }


QUERIES = {alert["alert"]: alert["expr"] for alert in alerts()} | queries_of_dashboard()


def selectors(node: Any) -> list[promql_parser.VectorSelector]:
    """Every vector selector of an expression."""
    found: list[promql_parser.VectorSelector] = []

    def look(part: Any) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            found.append(part)
        for name in ("expr", "lhs", "rhs", "vector_selector"):
            if hasattr(part, name):
                look(getattr(part, name))
        for argument in getattr(part, "args", []):
            look(argument)

    look(node)
    return found


def documented() -> set[str]:
    """The series that docs/metrics.md names; a histogram's are those of its buckets too."""
    names = set(re.findall(r"`(lindorm_import_\w+)", METRICS_PAGE))
    return names | {f"{name}_bucket" for name in names if name.endswith("_duration_seconds")}


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_promql_over_series_that_are_documented(name: str) -> None:
    used = selectors(promql_parser.parse(QUERIES[name]))
    assert used
    for selector in used:
        assert selector.name in documented()
        for matcher in selector.matchers.matchers:
            values = set(matcher.value.split("|"))
            if matcher.name == "type":
                assert values <= set(get_args(ConditionType))
            elif matcher.name == "cause":
                assert values <= CAUSES
            else:
                assert matcher.name in ("status", "result", "import_namespace", "import_name")


def test_the_words_of_an_alert_use_labels_that_its_query_keeps() -> None:
    for alert in alerts():
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])))
        if alert["alert"].startswith("LindormImportController"):
            assert used == set(), alert["alert"]
        else:
            assert {"import_namespace", "import_name"} <= used <= {"import_namespace", "import_name", "type", "cause"}


def test_every_alert_reaches_the_rule_with_a_page_to_read(helm: Helm) -> None:
    page = (REPOSITORY / "docs" / "alerts.md").read_text()
    values = {"metrics": {"rules": {"enabled": True, "runbookUrl": "https://docs.example/alerts/"}}}
    (group,) = only(helm.template(values), "PrometheusRule")["spec"]["groups"]
    assert [rule["alert"] for rule in group["rules"]] == [alert["alert"] for alert in alerts()]
    for rule in group["rules"]:
        assert f"## {rule['alert']}\n" in page
        assert rule["annotations"]["runbook_url"] == f"https://docs.example/alerts/#{rule['alert'].lower()}"
        assert rule["annotations"]["summary"].endswith((".", ")."))


def test_the_dashboard_reaches_grafana_whole(helm: Helm) -> None:
    config = only(helm.template({"metrics": {"dashboard": {"enabled": True}}}), "ConfigMap")
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    dashboard = json.loads(config["data"]["lindorm-import.json"])
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = {
        (x, y)
        for p in panels
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    }
    assert len(cells) == sum(p["gridPos"]["w"] * p["gridPos"]["h"] for p in panels), "panels overlap"
    assert max(x for x, _ in cells) < 24
