"""What the two images hold, and that it runs."""

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dev.chart import packages
from local.bootstrap import REPOSITORY
from tests.ship.conftest import MAVEN
from tests.ship.dockerfile import Stage, parse

pytestmark = pytest.mark.slow

PACKAGE = REPOSITORY / "controller" / "lindorm_import"
DRIVER = REPOSITORY / "flink_job" / "main.py"
LICENCES = (REPOSITORY / "LICENSES.md").read_text()


def inside(image: Stage, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command with the image's environment and nothing of this checkout's."""
    environment = image.environment()
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_controllers_image_holds_what_is_locked_and_nothing_that_could_install_more(
    controller_image: Stage, tmp_path: Path
) -> None:
    list_all = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    said = inside(controller_image, "python", "-c", list_all, folder=tmp_path)
    assert said.returncode == 0, said.stderr
    locked = packages((REPOSITORY / "requirements" / "controller.txt").read_text())
    assert sorted(map(normal, json.loads(said.stdout))) == sorted(map(normal, [*locked, "lindorm-import"]))


def test_every_module_of_the_controller_is_in_the_wheel_and_can_be_imported(
    controller_image: Stage, tmp_path: Path
) -> None:
    files = [path.relative_to(REPOSITORY / "controller") for path in PACKAGE.rglob("*.py")]
    modules = sorted(".".join(f.with_suffix("").parts).removesuffix(".__init__") for f in files)
    imports = "\n".join(f"import {module}" for module in modules if not module.endswith("__main__"))
    where = "import lindorm_import; print(lindorm_import.__file__)"
    said = inside(controller_image, "python", "-W", "error", "-c", f"{imports}\n{where}", folder=tmp_path)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(str(controller_image.root))


@pytest.mark.parametrize("arguments", [["--help"], ["controller", "--help"]])
def test_the_entry_point_starts(controller_image: Stage, tmp_path: Path, arguments: list[str]) -> None:
    said = inside(controller_image, *controller_image.program(), *arguments, folder=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "usage: lindorm-import" in said.stdout


def test_kubectl_finds_its_plugin_in_the_image(controller_image: Stage) -> None:
    assert os.access(controller_image.path("/opt/venv/bin/kubectl-lindorm"), os.X_OK)


def test_every_file_of_the_package_is_in_the_wheel(controller_image: Stage) -> None:
    (site,) = controller_image.path("/opt/venv/lib").glob("python*/site-packages/lindorm_import")
    files = [f.relative_to(PACKAGE) for f in PACKAGE.rglob("*") if f.is_file() and f.suffix != ".pyc"]
    assert [f for f in files if not (site / f).exists()] == []


@pytest.mark.parametrize(("name", "user"), [("controller_image", "65532:65532"), ("job_image", "hadoop:hadoop")])
def test_an_image_says_what_it_is_and_does_not_run_as_root(
    name: str, user: str, request: pytest.FixtureRequest
) -> None:
    image: Stage = request.getfixturevalue(name)
    assert image.users[-1] == user
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in image.labels.items()}
    assert labels.keys() >= {"title", "description", "licenses", "version", "revision", "created", "base.name"}
    assert labels["base.name"] == image.base
    assert labels["licenses"] == "Apache-2.0"


def test_every_base_image_is_an_argument() -> None:
    arguments, stages = parse((REPOSITORY / "Dockerfile").read_text())
    assert {base.strip("${}") for base, _ in stages.values()} == set(arguments)


def test_the_images_carry_the_licences(controller_image: Stage, job_image: Stage) -> None:
    for image in (controller_image, job_image):
        assert "Apache License" in image.path("/licenses/LICENSE").read_text()
        assert image.path("/licenses/LICENSES.md").read_text() == LICENCES


def test_flink_finds_the_connectors_by_their_services_and_each_class_once(job_image: Stage) -> None:
    lib = job_image.path("/opt/flink/lib")
    assert sorted(jar.name for jar in lib.iterdir()) == ["jdbc-driver.jar", "lindorm-flink.jar"]
    with zipfile.ZipFile(lib / "lindorm-flink.jar") as jar:
        factories = jar.read("META-INF/services/org.apache.flink.table.factories.Factory").decode().split()
        names = set(jar.namelist())
    assert {"io.lindorm.flink.source.LindormTableFactory", "io.lindorm.flink.items.ItemsTableFactory"} <= set(factories)
    for factory in factories:
        if factory.startswith("io.lindorm"):
            assert f"{factory.replace('.', '/')}.class" in names
    assert not [name for name in names if name.startswith(("com/mysql/", "org/slf4j/"))]
    # A jar in usrlib/ too would be loaded a second time, by another class loader.
    assert [path.name for path in job_image.path("/opt/flink/usrlib").iterdir()] == ["main.py"]


def test_the_jdbc_driver_is_connector_j_unchanged_with_its_licence(job_image: Stage) -> None:
    with zipfile.ZipFile(job_image.path("/opt/flink/lib/jdbc-driver.jar")) as jar:
        assert jar.read("META-INF/services/java.sql.Driver").decode().split() == ["com.mysql.cj.jdbc.Driver"]
        assert "Universal FOSS Exception" in jar.read("LICENSE").decode()


def test_the_image_builds_the_jars_as_the_bootstrap_does() -> None:
    bootstrap = (REPOSITORY / "local" / "bootstrap.py").read_text()
    _, stages = parse((REPOSITORY / "Dockerfile").read_text())
    runs = [rest.split(" ", 1)[1] for instruction, rest in stages["connectors"][1] if instruction == "RUN"]
    assert runs == [MAVEN]
    assert ", ".join(f'"{word}"' for word in MAVEN.split()) in bootstrap


def test_the_driver_is_written_in_the_python_that_emrs_image_has(job_image: Stage) -> None:
    """Amazon Linux 2023 has 3.9: its grammar, and nothing of a newer standard library (vermin knows when each came)."""
    source = job_image.path("/opt/flink/usrlib/main.py")
    assert source.read_text() == DRIVER.read_text()
    ast.parse(source.read_text(), feature_version=(3, 9))
    vermin = [str(Path(sys.executable).with_name("vermin")), "-q", "--no-tips", "-t=3.9-", "--violations", str(source)]
    said = subprocess.run(vermin, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


def test_every_part_of_the_jobs_jar_is_named_with_its_licence(job_image: Stage) -> None:
    with zipfile.ZipFile(job_image.path("/opt/flink/lib/lindorm-flink.jar")) as jar:
        parts = {name.split("/")[2] for name in jar.namelist() if name.endswith("pom.properties")}
    for group in parts - {"io.lindorm"}:
        assert f"| `{group}` | Apache-2.0 |" in LICENCES, group
