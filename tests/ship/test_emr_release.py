"""One release of EMR: the job's image is built from it, its operator runs the job, the import asks for it."""

import re

import pytest

from lindorm_import.api.spec import Job
from local.bootstrap import REPOSITORY

RELEASE = re.fullmatch(r"emr-(\d+\.\d+\.\d+)-flink-latest", Job().emr_release_label)


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("Dockerfile", r"^ARG FLINK_IMAGE=public\.ecr\.aws/emr-on-eks/flink/emr-([\d.]+)-flink:latest$"),
        ("infra/deploy.sh", r"^EMR_RELEASE=([\d.]+)"),
        ("docs/getting-started-aws.md", r"flink-kubernetes-operator \\\n +--version ([\d.]+) "),
    ],
)
def test_image_operator_and_import_are_of_the_same_emr_release(file: str, form: str) -> None:
    assert RELEASE is not None
    assert re.findall(form, (REPOSITORY / file).read_text(), re.MULTILINE) == [RELEASE[1]]
