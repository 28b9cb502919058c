"""The release: a chart that names its images, notes from the changelog, workflows that call what is there."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev import release
from dev.chart import CHART, documented
from local.bootstrap import REPOSITORY, Layout
from tests.ship.helm import Helm, container

CONTROLLER = "ghcr.io/owner/lindorm-import-controller@sha256:" + "a" * 64
JOB = "ghcr.io/owner/lindorm-import-job@sha256:" + "b" * 64
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yaml"))
MAKEFILE = (REPOSITORY / "Makefile").read_text()


def test_a_released_chart_names_both_images_by_digest(helm: Helm, tmp_path: Path) -> None:
    package = release.chart("1.2.3", CONTROLLER, JOB, tmp_path)
    rendered = helm.run("template", "imports", str(package))
    documents = [d for d in yaml.safe_load_all(rendered) if d and d["kind"] != "Pod"]
    assert container(documents)["image"] == CONTROLLER
    assert f"--job-image={JOB}" in container(documents)["args"]
    labels = [d["metadata"]["labels"]["app.kubernetes.io/version"] for d in documents]
    assert set(labels) == {"1.2.3"}


def test_a_released_chart_brings_its_files_and_explains_its_values(helm: Helm, tmp_path: Path) -> None:
    package = release.chart("1.2.3", CONTROLLER, JOB, tmp_path)
    assert helm.run("show", "readme", str(package)) == (CHART / "README.md").read_text() + "\n"
    before = list(documented((CHART / "values.yaml").read_text()))
    after = list(documented(helm.run("show", "values", str(package))))
    assert [(v.path, v.meaning) for v in after] == [(v.path, v.meaning) for v in before]
    assert {v.path for v, w in zip(after, before, strict=True) if v != w} == {
        "image.repository",
        "image.digest",
        "job.image",
    }


def test_an_image_without_a_digest_makes_no_release(tmp_path: Path) -> None:
    with pytest.raises(release.ReleaseError, match="not named by digest"):
        release.chart("1.2.3", CONTROLLER, "ghcr.io/owner/lindorm-import-job:latest", tmp_path)


def test_a_value_that_is_not_there_to_be_filled_in_is_named() -> None:
    with pytest.raises(release.ReleaseError, match=r"image\.name"):
        release.with_defaults('image:\n  repository: ""\n', {"image.name": "x"})


def test_the_notes_are_the_changelogs() -> None:
    changelog = "# Changelog\n\n## 1.2.3 (2026-11-24)\n\nNew.\n\n## 1.2.2\n\nOld.\n"
    assert release.notes(changelog, "1.2.3") == "New.\n"
    assert release.notes(changelog, "1.2.2") == "Old.\n"
    with pytest.raises(release.ReleaseError, match="says nothing about"):
        release.notes(changelog, "1.2")


def test_the_changelog_speaks_of_the_version_that_comes() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    assert release.notes((REPOSITORY / "CHANGELOG.md").read_text(), version)


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_github_can_read_the_workflows(tools: Layout) -> None:
    command = [tools.tools / "actionlint", "-shellcheck=", "-pyflakes=", *WORKFLOWS]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_that_are_there(workflow: Path) -> None:
    called = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(step.get("run", "") for step in steps(workflow))))
    assert called
    assert called <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_ci_runs_what_a_developer_runs() -> None:
    assert "make test" in [step.get("run") for step in steps(REPOSITORY / ".github" / "workflows" / "ci.yaml")]
    assert "exec make test" in (REPOSITORY / ".ci" / "run").read_text()


def test_a_release_signs_everything_that_it_publishes() -> None:
    script = "\n".join(step.get("run", "") for step in steps(REPOSITORY / ".github" / "workflows" / "release.yaml"))
    assert len(re.findall(r"cosign sign --yes", script)) == 2, "the images, and the chart"
    assert re.search(r"syft scan .*spdx-json=sbom\.spdx\.json", script)
    assert re.search(r"cosign attest --yes --type spdxjson --predicate sbom\.spdx\.json", script)


def test_the_base_images_that_a_release_looks_up_are_the_dockerfiles() -> None:
    """The release's line of sed, on the Dockerfile: every base image, and a name that an address can be made of."""
    text = (REPOSITORY / "Dockerfile").read_text()
    found = dict(re.findall(r"^ARG ([A-Z]*_IMAGE)=(.*)$", text, re.MULTILINE))
    assert found.keys() == {"PYTHON_IMAGE", "MAVEN_IMAGE", "FLINK_IMAGE"}
    for image in found.values():
        assert re.fullmatch(r"[a-z0-9.-]+(/[a-z0-9._-]+)+:[A-Za-z0-9._-]+", image), image


def test_pre_commit_calls_targets_that_are_there() -> None:
    (local,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in local["hooks"]:
        assert re.search(rf"^{hook['entry'].removeprefix('make ')}:", MAKEFILE, re.MULTILINE)
