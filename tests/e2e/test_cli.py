"""The command line against the embedded stack: watch on a terminal and without one, report, plan, delete."""

import json
import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.bootstrap import REPOSITORY
from local.demo import GROUP, PLURAL, VERSION, World, condition
from tests.e2e.test_import import named

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def start(world: World, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = os.environ | world.stack.environment | {"COLUMNS": "110", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "lindorm_import.cli", *arguments]
    return subprocess.Popen(command, env=environment, cwd=REPOSITORY, text=True, **options)


def run(world: World, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    process = start(world, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def on_a_terminal(world: World, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    """The process, and the end of its terminal to read from."""
    ours, theirs = pty.openpty()
    process = start(world, *arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return process, ours


def read_all(terminal: int) -> str:
    """What was shown until the process closed it."""
    parts = []
    try:
        while part := os.read(terminal, 65_536):
            parts.append(part)
    except OSError:  # Linux says EIO at the end of a terminal
        pass
    os.close(terminal)
    return b"".join(parts).decode()


def test_an_import_is_submitted_watched_reported_and_deleted_at_the_command_line(world: World, tmp_path: Path) -> None:
    document = named(world, "shown", **{"source.table": "many"})
    manifest = tmp_path / "import.yaml"
    manifest.write_text(yaml.safe_dump(document))

    code, out, err = run(world, "plan", "-f", str(manifest), "-o", "json")
    assert code == 0, err
    plan = json.loads(out)
    assert (plan["rows"], plan["rowsBasis"], plan["writeUnits"]) == (20_000, "Counted", 20_000)
    assert 60 <= plan["itemBytes"] <= 110, "the reference shape"

    assert run(world, "submit", "-f", str(manifest))[0] == 0
    lines = start(world, "watch", "shown", "--interval", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    live, terminal = on_a_terminal(world, "watch", "shown")
    shown = read_all(terminal)
    assert live.wait(timeout=60) == 0
    out, err = lines.communicate(timeout=60)
    assert (lines.returncode, err) == (0, "")
    told = out.splitlines()
    assert any("Running" in line and "write units" in line and "checkpoint" in line for line in told), out
    assert "read 20,000 of 20,000" in told[-2]
    assert told[-1] == "shown complete: 20,000 items written, 0 rows rejected"
    assert not re.search("\x1b", out), "no colours where there is no terminal"
    assert "default/shown: many -> shown" in shown
    assert "TaskManager" in shown
    assert "100 %" in shown
    assert "Complete" in shown

    found = world.read("shown")
    assert found is not None
    history = found["status"]["history"]
    assert history[-1]["rowsRead"] == 20_000
    assert "dashboards/dashboard/limport-shown-" in found["status"]["dashboard"]["url"]
    assert len(world.aws("cloudwatch").list_dashboards(DashboardNamePrefix="limport-shown-")["DashboardEntries"]) == 1

    code, out, err = run(world, "report", "shown", "--directory", str(tmp_path / "report"))
    assert code == 0, err
    assert "# Import default/shown: Complete" in out
    assert "| rows | 20,000 | 20,000 read |" in out
    assert (tmp_path / "report" / "shown.md").read_text() == out
    report = json.loads((tmp_path / "report" / "shown.json").read_text())
    assert report["actual"]["itemsWritten"] == found["status"]["results"]["itemsWritten"]
    assert report["throughput"], "the data of the picture outlive the job"
    picture = ElementTree.fromstring((tmp_path / "report" / "shown.svg").read_text())
    assert "default/shown: throughput (UTC)" in "".join(picture.itertext())

    code, out, _ = run(world, "plan", "shown", "-o", "json")
    assert code == 0
    assert json.loads(out)["rows"] == 20_000

    code, out, _ = run(world, "delete", "shown")
    assert code == 0
    assert "stays: DynamoDB table shown with its items (target.deletionPolicy is Retain)" in out
    for _ in world.watch("shown"):
        pass
    assert world.leftovers(document) == []
    assert world.aws("cloudwatch").list_dashboards(DashboardNamePrefix="limport-shown-")["DashboardEntries"] == []


def test_watch_ends_with_1_when_the_import_fails(world: World) -> None:
    world.apply(named(world, "failing", **{"budget.maxDuration": "1s"}))  # the plan takes a second, the job longer
    code, out, _ = run(world, "watch", "failing")
    assert code == 1
    assert "failing failed: the import has been running since" in out
    found = world.read("failing")
    assert found is not None
    assert condition(found, "Failed") == "True"
    code, out, _ = run(world, "report", "failing", "--directory", str(world.stack.folder / "report"))
    assert code == 0
    assert "# Import default/failing: Failed" in out
    code, _, err = run(world, "suspend", "failing")
    assert code == 2
    assert "has ended (Failed)" in err
    world.delete("failing")


def test_an_import_that_is_not_there_is_said_in_one_sentence(world: World) -> None:
    for command in ("watch", "report", "suspend", "resume", "delete", "plan", "doctor"):
        code, _, err = run(world, command, "nobody")
        assert code == 2
        assert err == "error: NAME: there is no LindormImport nobody in namespace default: see kubectl get limport -A\n"


def test_what_admission_refuses_is_said_in_its_words(world: World, tmp_path: Path) -> None:
    document = named(world, "changed")
    document["spec"]["suspend"] = True
    manifest = tmp_path / "import.yaml"
    manifest.write_text(yaml.safe_dump(document))
    assert run(world, "submit", "-f", str(manifest))[0] == 0
    bucket = {"kind": "Bucket", "name": "b", "origin": "Adopted", "deletionPolicy": "Retain"}
    world.objects.patch_namespaced_custom_object_status(
        GROUP, VERSION, world.namespace, PLURAL, "changed", {"status": {"resources": [bucket]}}
    )
    document["spec"]["source"]["table"] = "other"
    manifest.write_text(yaml.safe_dump(document))
    code, _, err = run(world, "submit", "-f", str(manifest))
    assert code == 2
    assert err.count("\n") == 1
    assert "source.table is fixed once the import has created something" in err
    world.delete("changed")


def test_doctor_explains_each_check(world: World, tmp_path: Path) -> None:
    manifest = tmp_path / "import.yaml"
    manifest.write_text(yaml.safe_dump(named(world, "checked")))
    code, out, err = run(world, "doctor", "-f", str(manifest), "-o", "json")
    assert code == 0, out + err
    levels = {check["name"]: check["level"] for check in json.loads(out)}
    fine = ["cluster", "own resource", "flink resource", "rights", "secret", "lindorm login", "lindorm time zone"]
    fine += ["lindorm table", "aws credentials", "table", "quota", "bucket"]
    assert {name: levels[name] for name in fine} == dict.fromkeys(fine, "ok")
    assert levels["cert manager"] == "warn", "the stack has none"
    assert all(c["advice"] for c in json.loads(out) if c["level"] == "warn")
