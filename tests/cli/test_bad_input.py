"""Bad input: one sentence on stderr that names the field and the fix, exit code 2, never a traceback."""

from pathlib import Path
from typing import Any

import pytest

from lindorm_import.cli import main
from tests.cli.test_plan import manifest

FLAGS = [
    "--bucket", "my-bucket", "--jdbc-url", "jdbc:mysql://ld.example:33060/default", "--table", "readings",
    "--start", "2023-01-01T00:00:00Z", "--end", "2023-02-01T00:00:00Z", "--region", "us-west-2",
]  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence on stderr."""
    try:
        code = main(list(arguments))
    except SystemExit as error:  # argparse ends the process by itself
        code = int(str(error.code))
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert shown.err.count("\n") == 1, shown.err
    return shown.err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spec.source.tabel": "x"}, "spec.source.tabel is not a field; did you mean table?"),
        (
            {"spec.target.capacity": {"writeUnit": 5}},
            "spec.target.capacity.writeUnit is not a field; did you mean writeUnits?",
        ),
        ({"spec.source.timeRange.start": "2024-01-01T00:00:00Z"}, "start must be before end"),
        ({"spec.source.timeRange.end": "2023-01-05"}, "spec.source.timeRange.end"),
        ({"spec.source.url": "mysql://x"}, "spec.source.url: 'mysql://x' does not have the form"),
        ({"spec.target.capacity": {"mode": "Slow"}}, "'Slow' is not one of 'OnDemand' or 'Provisioned'"),
        ({"spec.target.capacity": {"mode": "Provisioned"}}, "needs capacity.writeUnits"),
        ({"spec.source.pageSize": 0}, "spec.source.pageSize"),
        ({"spec.staging": {}}, "spec.staging.bucket is missing"),
        ({"apiVersion": "v1"}, "write lindorm.io/v1alpha1"),
        ({"specs": {}}, "specs is not a field"),
        ({"kind": "Import"}, "has 0 documents of kind LindormImport"),
        ({"metadata": {}}, "metadata.name is missing"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_field_and_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    file = manifest(tmp_path, **changes)
    assert told in refused(capsys, "plan", "-f", file, "--rows", "1", "--item-bytes", "1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan"], "--rows missing"),
        (["plan", "--rows", "5"], "--item-bytes missing"),
        (["plan", "--rows", "-5", "--item-bytes", "80"], "--rows is -5: give 0 or more"),
        (["plan", "--rows", "9" * 23, "--item-bytes", "80"], "give 1000000000000000 or fewer"),
        (["plan", "--rows", "5", "--item-bytes", "500000"], "at most 409600"),
        (["plan", "--rows", "x", "--item-bytes", "80"], "argument --rows: invalid int value: 'x'"),
        (["plan", "--rows", "5", "--item-bytes", "80", "--write-units", "0"], "--write-units is 0: give 1 or more"),
        (["plan", "--rows", "5", "--item-bytes", "80", "--max-duration", "5"], "spec.budget.maxDuration: '5'"),
        (
            ["plan", "--rows", "5", "--item-bytes", "80", "--prices", "/nonexistent"],
            "price file /nonexistent cannot be",
        ),
        (["plan", "name", "-f", "x.yaml"], "NAME and -f both say which import"),
        (["plan", "-f", "/nonexistent.yaml"], "-f /nonexistent.yaml: cannot be read"),
        (["render", "--table", "readings"], "--bucket, --jdbc-url, --start, --end"),
        (["render", *FLAGS, "--end", "2022-01-01T00:00:00Z"], "start must be before end"),
        (["render", *FLAGS, "--name", "a", "--mode", "Provisioned"], "needs capacity.writeUnits"),
        (["watch"], "the following arguments are required: NAME"),
        (["watch", "x", "--interval", "0"], "--interval is 0.0: give seconds, more than 0"),
        (["fly"], "invalid choice: 'fly'"),
    ],
)
def test_wrong_flags_are_refused_with_the_flag_and_the_fix(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert told in refused(capsys, *arguments)


@pytest.mark.parametrize(
    "text", ["a: [1", "\x00", "- 1\n- 2", "", "kind: LindormImport\napiVersion: lindorm.io/v1alpha1"]
)
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "import.yaml"
    file.write_text(text)
    assert f"-f {file}" in refused(capsys, "plan", "-f", str(file), "--rows", "1", "--item-bytes", "1")


@pytest.mark.parametrize("command", ["watch", "report", "suspend", "resume", "delete", "plan"])
def test_without_a_cluster_each_command_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    assert "set KUBECONFIG" in refused(capsys, command, "readings")


@pytest.mark.parametrize("text", ["clusters: 5", "[", "contexts: [{}]\ncurrent-context: x"])
def test_a_kubeconfig_that_is_none_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    assert "set KUBECONFIG" in refused(capsys, "watch", "readings")


def test_an_end_in_the_future_is_allowed_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = manifest(tmp_path, **{"spec.source.timeRange.end": "2999-01-01T00:00:00Z"})
    assert main(["plan", "-f", file, "--rows", "1", "--item-bytes", "1"]) == 0
    told = capsys.readouterr().err
    assert "spec.source.timeRange.end 2999-01-01T00:00:00Z is in the future" in told
    assert "not imported" in told


def test_flags_become_a_manifest_that_says_nothing_that_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", *FLAGS, "--write-units", "7000", "-n", "migration"]) == 0
    assert (
        capsys.readouterr().out
        == """\
apiVersion: lindorm.io/v1alpha1
kind: LindormImport
metadata:
  name: readings
  namespace: migration
spec:
  source:
    url: jdbc:mysql://ld.example:33060/default
    table: readings
    credentials:
      secretName: lindorm
    timeRange:
      column: ts
      start: '2023-01-01T00:00:00Z'
      end: '2023-02-01T00:00:00Z'
  target:
    region: us-west-2
    table: readings
    capacity:
      writeUnits: 7000
      warm: true
  staging:
    bucket: my-bucket
"""
    )


def test_a_password_is_taken_from_the_environment_and_never_from_a_flag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert "unrecognized arguments: --password secret" in refused(capsys, "submit", *FLAGS, "--password", "secret")
