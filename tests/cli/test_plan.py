"""`plan` at the command line, without cluster, network or credentials."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lindorm_import.cli import main
from local.bootstrap import REPOSITORY

REFERENCE = ["plan", "--rows", "1250000000", "--item-bytes", "80", "--write-units", "40000"]


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "-o", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def manifest(tmp_path: Path, **changes: Any) -> str:
    """examples/readings.yaml with changes by dotted path."""
    example = yaml.safe_load((REPOSITORY / "examples" / "readings.yaml").read_text())
    for path, value in changes.items():
        node = example
        *parents, last = path.split(".")
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    file = tmp_path / "import.yaml"
    file.write_text(yaml.safe_dump(example))
    return str(file)


def test_the_reference_case_needs_no_cluster_no_network_and_no_credentials(tmp_path: Path) -> None:
    # A process of its own, with nothing in its environment and a resolver that knows no host.
    done = subprocess.run(
        [sys.executable, "-m", "lindorm_import.cli", *REFERENCE, "-o", "json"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "KUBECONFIG": "/nonexistent",
            "PYTHONPATH": str(REPOSITORY / "controller"),
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    plan = json.loads(done.stdout)
    assert plan["rows"] == plan["writeUnits"] == 1_250_000_000  # 80 bytes round up to 1 KB: one write unit a row
    assert plan["writeUnitsPerItem"] == 1
    assert plan["seconds"] == 31_250  # 1.25e9 / 40,000
    ways = {way["name"]: way for way in plan["ways"]}
    assert ways["on-demand"]["costUSD"] == 781.25  # 1,250 million x $0.625
    assert ways["provisioned-100"]["costUSD"] == 225.69  # 31,250 s / 3,600 x 40,000 x $0.00065
    assert ways["provisioned-70"]["costUSD"] == 322.42  # 225.69 / 0.7
    assert all({"name", "costUSD", "seconds", "note"} <= way.keys() for way in plan["ways"])
    assert plan["recommended"] in ways
    assert plan["pricesAsOf"]
    assert plan["wrongFigure"].startswith("'12.8 records per WCU'")


def test_the_table_shows_the_recommended_way_and_the_wrong_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(REFERENCE) == 0
    shown = capsys.readouterr().out
    assert "* import-table" in shown
    assert "12.8 records per WCU" in shown
    assert "8 h needs 43,403/s" in shown


def test_yaml_holds_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*REFERENCE, "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == document(capsys, *REFERENCE)


def test_each_secondary_index_costs_the_items_write_units_again(capsys: pytest.CaptureFixture[str]) -> None:
    plan = document(capsys, *REFERENCE, "--indexes", "2")
    assert plan["writeUnitsPerItem"] == 3
    assert plan["writeUnits"] == 3_750_000_000
    assert plan["seconds"] == 31_250  # each index has throughput of its own


def test_prices_come_from_the_users_file_where_one_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = json.loads((REPOSITORY / "controller" / "lindorm_import" / "plan" / "prices.json").read_text())
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(prices | {"asOf": "2027-01-01", "onDemandWritePerMillion": 1.25}))
    plan = document(capsys, *REFERENCE, "--prices", str(file))
    assert plan["pricesAsOf"] == "2027-01-01"
    assert plan["ways"][0]["costUSD"] == 1562.5  # 1,250 x $1.25


def test_a_manifest_with_rows_and_bytes_is_planned_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = manifest(tmp_path, **{"spec.target.capacity": {"mode": "Provisioned", "writeUnits": 1000}})
    plan = document(capsys, "plan", "-f", file, "--rows", "3600000", "--item-bytes", "1025")
    assert plan["way"] == "provisioned-100"
    assert plan["seconds"] == 7_200  # 3.6 million x 2 units / 1,000
    assert plan["costUSD"] == 1.3  # 2 h x 1,000 x $0.00065


def test_a_plan_over_budget_says_so_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = manifest(tmp_path, **{"spec.budget": {"maxCostUSD": "5"}})
    assert main(["plan", "-f", file, "--rows", "10000000", "--item-bytes", "80"]) == 2
    shown = capsys.readouterr()
    assert "rows" in shown.out, "the plan is shown all the same"
    assert "budget.maxCostUSD is 5" in shown.err
