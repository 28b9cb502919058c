"""Helm, built when it is not there yet."""

import pytest

from local.bootstrap import Layout, bootstrap
from tests.chart.helm import Helm


@pytest.fixture(scope="session")
def tools() -> Layout:
    return bootstrap(["tools"])


@pytest.fixture(scope="session")
def helm(tools: Layout, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tools.helm, tmp_path_factory.mktemp("helm"))
