"""What a release is made of: the chart that names its images, and the notes (`make chart`, `make release-notes`).

python -m dev.release chart VERSION CONTROLLER_IMAGE JOB_IMAGE FOLDER
python -m dev.release notes VERSION
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from dev.chart import CHART
from local.bootstrap import REPOSITORY, bootstrap


class ReleaseError(Exception):
    """The release cannot be made; the message says what to do."""


def with_defaults(values: str, new: Mapping[str, str]) -> str:
    """values.yaml with other defaults, its comments as they were. new: by path with dots; each must be there and empty.

    Raises ReleaseError that names the value.
    """
    for path, default in new.items():
        root = yaml.compose(values)
        for part in path.split("."):
            found = [child for key, child in root.value if key.value == part] if root else []
            root = found[0] if found else None
        if not isinstance(root, yaml.ScalarNode) or root.value:
            raise ReleaseError(f"values.yaml has no empty value {path} to fill in")
        values = values[: root.start_mark.index] + f'"{default}"' + values[root.end_mark.index :]
    return values


def chart(version: str, controller_image: str, job_image: str, folder: Path) -> Path:
    """Packages the chart into a folder, with both images (NAME@sha256:…) as its defaults.

    Raises ReleaseError where an image is not named by digest.
    """
    for image in (controller_image, job_image):
        if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image):
            raise ReleaseError(f"{image or 'an image'} is not named by digest: NAME@sha256:…")
    repository, _, digest = controller_image.partition("@")
    images = {"image.repository": repository, "image.digest": digest, "job.image": job_image}
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / CHART.name
        shutil.copytree(CHART, copy)
        (copy / "values.yaml").write_text(with_defaults((CHART / "values.yaml").read_text(), images))
        versions = ["--version", version, "--app-version", version]
        command = [str(bootstrap(["tools"]).helm), "package", str(copy), *versions, "--destination", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / f"{CHART.name}-{version}.tgz"


def notes(changelog: str, version: str) -> str:
    """The part of CHANGELOG.md that is about a version.

    Raises ReleaseError where there is none.
    """
    heading = rf"^## {re.escape(version)}(?![\w.])[^\n]*\n"
    found = re.search(heading + r"(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise ReleaseError(f"CHANGELOG.md says nothing about {version}: write it before you tag v{version}")
    return found[1].strip() + "\n"


def main(arguments: list[str]) -> int:
    """The command line."""
    try:
        match arguments:
            case ["chart", version, controller_image, job_image, folder]:
                print(chart(version, controller_image, job_image, Path(folder)))
            case ["notes", version]:
                print(notes((REPOSITORY / "CHANGELOG.md").read_text(), version), end="")
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
