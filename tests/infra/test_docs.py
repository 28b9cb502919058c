"""The docs site builds with every link right, and what is made from the code is up to date."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from dev import docs

REPOSITORY = docs.REPOSITORY


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    stale = [file.name for file, text in docs.render().items() if file.read_text() != text]
    assert stale == [], "run make generate"


def test_the_site_builds_and_every_link_in_it_leads_somewhere(checks: Path, tmp_path: Path) -> None:
    built = subprocess.run(
        [checks / "bin" / "mkdocs", "build", "--site-dir", tmp_path],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stderr
    pages = sorted(tmp_path.glob("**/index.html"))
    assert len(pages) >= len(list(docs.DOCS.glob("*.md")))
    assert not any("--8<--" in page.read_text() for page in pages)


def test_a_broken_link_fails_the_build(checks: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copy(docs.DOCS / "hooks.py", tmp_path / "docs")
    configuration = (REPOSITORY / "mkdocs.yml").read_text()
    (tmp_path / "mkdocs.yml").write_text(re.sub(r"^nav:.*", "", configuration, flags=re.DOTALL | re.MULTILINE))
    (tmp_path / "docs" / "index.md").write_text("[gone](gone.md)")
    built = subprocess.run([checks / "bin" / "mkdocs", "build"], cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 1
    assert "gone.md" in built.stderr


def test_every_file_of_the_repository_that_a_page_names_is_there() -> None:
    named = {
        path
        for page in docs.DOCS.glob("*.md")
        for path in re.findall(
            r"`((?:infra|examples|controller|flink_job|tests|local|helm|crds)/[\w./-]+)`", page.read_text()
        )
    }
    assert len(named) > 10
    assert [
        path for path in sorted(named) if not (REPOSITORY / path).exists() and not (REPOSITORY / f"{path}.py").exists()
    ] == []


def test_every_file_of_the_reference_solution_has_its_row() -> None:
    page = (docs.DOCS / "reference-solution.md").read_text()
    for file in (
        "README.md",
        "cloudformation-template.yaml",
        "deploy.sh",
        "run.sh",
        "monitor.sh",
        "test-setup.sh",
        "emr-config.json",
        "log4j.properties",
        "LindormToDynamoDBImport.java",
        "pom.xml",
        ".gitignore",
    ):
        assert re.search(rf"^\| `[^`]*{re.escape(file)}`", page, re.MULTILINE), file


def test_the_install_commands_in_the_docs_are_those_of_the_script(checks: Path) -> None:
    page = (docs.DOCS / "getting-started-aws.md").read_text()
    script = (REPOSITORY / "infra" / "deploy.sh").read_text()
    operator = re.search(r"^EMR_RELEASE=(\S+)", script, re.MULTILINE)
    manager = re.search(r"^CERT_MANAGER_VERSION=(\S+)", script, re.MULTILINE)
    assert operator is not None
    assert manager is not None
    assert f"--version {operator[1]}" in page
    assert f"--version {manager[1]}" in page
