"""The wheel on every Python that it is for, with the packages of the lock and nothing else."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.bootstrap import REPOSITORY

pytestmark = pytest.mark.slow

PYPROJECT = (REPOSITORY / "pyproject.toml").read_text()
VERSIONS = re.findall(r"Programming Language :: Python :: (3\.\d+)", PYPROJECT)


def interpreter(version: str) -> str:
    """One of pyenv's, or on the PATH (where pyenv puts one that does not run); skips where there is none."""
    installed = [str(p) for p in Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")]
    for found in (*installed, shutil.which(f"python{version}")):
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"no Python {version} here")


def run(*command: str, cwd: Path) -> str:
    """In an empty environment, but for a home and the machine's programs."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "KUBECONFIG": "/nonexistent"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for part in ("controller", "requirements"):
        shutil.copytree(REPOSITORY / part, source / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(REPOSITORY / "pyproject.toml", source)
    python = interpreter("3.11")
    subprocess.run([python, "-m", "pip", "-q", "wheel", "--no-deps", "-w", str(folder), str(source)], check=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_installs_plans_and_can_be_imported(version: str, wheel: Path, tmp_path: Path) -> None:
    subprocess.run([interpreter(version), "-m", "venv", str(tmp_path / "venv")], check=True)
    programs = tmp_path / "venv" / "bin"
    lock = REPOSITORY / "requirements" / "controller.txt"
    pip = [str(programs / "pip"), "--disable-pip-version-check", "-q", "install"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    arguments = ("--rows", "1250000000", "--item-bytes", "80", "--write-units", "40000")
    assert "1,250,000,000 in all" in run(str(programs / "lindorm-import"), "plan", *arguments, cwd=tmp_path)
    assert "usage: lindorm-import controller" in run(
        str(programs / "lindorm-import"), "controller", "--help", cwd=tmp_path
    )
    assert (programs / "kubectl-lindorm").exists()
    assert (programs / "kubectl_complete-lindorm").exists()
    run(str(programs / "python"), "-W", "error", str(REPOSITORY / "dev" / "import_all.py"), cwd=tmp_path)


def test_the_workflow_tries_every_python_that_the_package_is_for() -> None:
    workflow = (REPOSITORY / ".github" / "workflows" / "ci.yaml").read_text()
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    assert re.findall(r"3\.\d+", matrix) == VERSIONS
