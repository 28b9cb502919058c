"""The bootstrap: what it says is missing, and that it builds each thing once and whole."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from local import bootstrap
from local.bootstrap import REPOSITORY, BootstrapError, Part
from local.machine import KUBE_BINARIES


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is the whole PATH of a machine with Python and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(machine: Path, name: str, says: str) -> None:
    file = machine / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)


def check(machine: Path, **env: str) -> tuple[int, list[str]]:
    """What `python3 -m local.bootstrap --check` answers there."""
    environment = {"PATH": f"{machine}", "LINDORM_IMPORT_CACHE": str(machine.parent / "cache"), "HOME": "/", **env}
    command = [sys.executable, "-m", "local.bootstrap", "--check"]
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return result.returncode, result.stdout.splitlines()


def test_everything_that_is_missing_is_said_at_once_in_a_sentence_each(machine: Path) -> None:
    code, lines = check(machine)
    assert code == 1
    assert [line.split(" is missing")[0] for line in lines] == ["A JDK 17", "Maven", "Go"]


def test_tools_of_the_wrong_version_are_named_with_the_right_one(machine: Path) -> None:
    program(machine, "javac", "javac 21.0.1")
    program(machine, "mvn", "Apache Maven 3.9.9")
    program(machine, "go", "go1.22.3")
    code, lines = check(machine)
    assert code == 1
    assert lines[0].startswith("JDK 21 is the wrong one: Flink 1.20 runs on 17")
    assert lines[1].startswith("Go 1.22 is too old to build etcd: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS")
    assert len(lines) == 2


def test_ready_kubernetes_binaries_make_go_unnecessary(machine: Path) -> None:
    program(machine, "javac", "javac 17.0.15")
    program(machine, "mvn", "Apache Maven 3.9.9")
    assets = machine.parent / "assets"
    assets.mkdir()
    for name in KUBE_BINARIES:
        program(assets, name, name)
    assert check(machine, KUBEBUILDER_ASSETS=str(assets))[0] == 0
    (assets / "kube-controller-manager").unlink()
    assert check(machine, KUBEBUILDER_ASSETS=str(assets))[0] == 1


def test_java_home_comes_before_path(machine: Path) -> None:
    program(machine, "javac", "javac 21.0.1")
    program(machine, "mvn", "Apache Maven 3.9.9")
    program(machine, "go", "go1.26.0")
    home = machine.parent / "jdk" / "bin"
    home.mkdir(parents=True)
    program(home, "javac", "javac 17.0.15")
    assert check(machine, JAVA_HOME=str(home.parent)) == (0, ["bootstrap: this machine has what it must have"])


def test_a_part_is_built_once_even_by_two_at_a_time(tmp_path: Path) -> None:
    built = []

    def slow(folder: Path, log: Path) -> None:
        built.append(folder)
        time.sleep(0.2)
        (folder / "content").write_text("whole")

    part = Part("thing", tmp_path / "thing", slow, "no time")
    threads = [threading.Thread(target=bootstrap.build, args=(part, lambda line: None)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert (part.folder / "content").read_text() == "whole"


def test_a_part_that_fails_says_which_and_shows_its_log_and_leaves_nothing_that_looks_ready(tmp_path: Path) -> None:
    def fails(folder: Path, log: Path) -> None:
        (folder / "half").touch()
        bootstrap.run_logged(["sh", "-c", "echo disk full; exit 3"], log, tmp_path)

    part = Part("thing", tmp_path / "thing", fails, "no time")
    with pytest.raises(BootstrapError, match=r"(?s)thing could not be built: sh ended with 3.*disk full"):
        bootstrap.build(part, lambda line: None)
    assert not part.ready
    assert not part.folder.exists()

    def works(folder: Path, log: Path) -> None:
        assert list(folder.iterdir()) == []

    bootstrap.build(Part("thing", tmp_path / "thing", works, "no time"), lambda line: None)
    assert part.ready


def test_a_folder_that_a_crash_left_without_its_mark_is_built_again(tmp_path: Path) -> None:
    part = Part("thing", tmp_path / "thing", lambda folder, log: None, "no time")
    part.folder.mkdir()
    (part.folder / "half").touch()
    bootstrap.build(part, lambda line: None)
    assert [path.name for path in part.folder.iterdir()] == [".ready"]


def test_the_hash_of_a_folder_counts_what_a_jar_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "REPOSITORY", tmp_path)
    module = tmp_path / "module"
    for name in ("src/main/A.java", "src/test/ATest.java", "target/a.class"):
        (module / name).parent.mkdir(parents=True, exist_ok=True)
        (module / name).write_text("1")
    before = bootstrap.content_hash([module])
    (module / "src/test/ATest.java").write_text("2")
    (module / "target/a.class").write_text("2")
    assert bootstrap.content_hash([module]) == before
    (module / "src/main/A.java").write_text("2")
    assert bootstrap.content_hash([module]) != before


def test_a_second_run_takes_no_time_and_prints_where_things_are() -> None:
    command = [sys.executable, "-m", "local.bootstrap", "--only", "dev-venv", "--print-env"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    started = time.monotonic()
    result = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert time.monotonic() - started < 2
    values = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert os.access(values["PY"], os.X_OK)
    assert values.keys() == bootstrap.layout().environment().keys()


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(SystemExit):
        bootstrap.main(["--only", "nonsense"])


def test_what_only_some_tests_need_is_built_only_when_it_is_named() -> None:
    by_default = {part.name for part in bootstrap.parts(bootstrap.layout()) if part.by_default}
    assert "dev-venv" in by_default
    assert not by_default & {"tools", "bench"}
