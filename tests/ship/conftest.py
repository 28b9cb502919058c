"""Helm, and the images as folders, each built once for all tests."""

from pathlib import Path

import pytest

from local.bootstrap import Layout, bootstrap
from tests.ship.dockerfile import Build, Stage
from tests.ship.helm import Helm

# What local/bootstrap.py runs as well: its result is taken instead of building the same jars a second time.
MAVEN = "mvn -B -q -Dmaven.test.skip=true package"


@pytest.fixture(scope="session")
def tools() -> Layout:
    return bootstrap(["tools"])


@pytest.fixture(scope="session")
def helm(tools: Layout, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tools.helm, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    layout = bootstrap(["job-jar"])

    def jars_from_the_cache(line: str, root: Path) -> bool:
        if line != MAVEN:
            return False
        target = root / "build" / "target"
        target.mkdir()
        for jar in (layout.job_jar, layout.jdbc_driver):
            (target / jar.name).write_bytes(jar.read_bytes())
        return True

    return Build(tmp_path_factory.mktemp("images"), jars_from_the_cache)


@pytest.fixture(scope="session")
def controller_image(build: Build) -> Stage:
    return build.target("controller")


@pytest.fixture(scope="session")
def job_image(build: Build) -> Stage:
    return build.target("job")
