"""Addresses in S3 that everybody reads alike: S3, the controller, IAM, and Flink with Hadoop's S3A.

S3 takes any key as it stands; Flink and Hadoop read it as the path of a URI and change it: `.`, `..` and empty segments
go (java.net.URI.normalize), a leading / goes, and what is no character of a URI is escaped here and not there. IAM
reads * and ? in a policy's resource as any characters. And Java finds no host in an address whose bucket is no host
name (java.net.URI, "Server-based"): its last label, where there are several, begins with a letter, and none ends in -.
tests/controller/test_paths.py asks Flink's and Hadoop's own classes.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_LAST_LABEL = "[a-z]([a-z0-9-]*[a-z0-9])?"
_BUCKET = rf"({_LABEL}|({_LABEL}\.)+{_LAST_LABEL})"
# At least one character besides dots.
_SEGMENT = "[A-Za-z0-9!_.'()-]*[A-Za-z0-9!_'()-][A-Za-z0-9!_.'()-]*"

BUCKET_PATTERN = f"^{_BUCKET}$"
BUCKET_TOLD = (
    "a bucket is a host name: labels of a-z, 0-9 and -, joined by single dots, none beginning or ending with -, the "
    "last of several beginning with a letter (Flink cannot open any other)"
)
PREFIX_PATTERN = f"^({_SEGMENT}/)*$"
PREFIX_TOLD = (
    "a prefix is empty, or segments that each end with /, without a leading /; a segment is of A-Z a-z 0-9 ! _ . ' ( ) "
    "- and not of dots alone (Flink would write elsewhere than the controller looks)"
)
S3_URI_PATTERN = f"^s3://{_BUCKET}/({_SEGMENT}/)*({_SEGMENT})?$"
S3_URI_TOLD = f"s3://BUCKET/PREFIX, where {PREFIX_TOLD}"

# Flink's settings of where it keeps what the controller looks for, or removes.
OWN_PATHS = (
    "state.checkpoints.dir",
    "state.savepoints.dir",
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
    "high-availability.storageDir",
    "high-availability.cluster-id",
)
OWN_PATHS_TOLD = f"flinkConfiguration must not have {', '.join(OWN_PATHS)}: the controller looks below staging.prefix"


def _like(pattern: str, told: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(told)
        return text

    return AfterValidator(check)


def cel(pattern: str) -> str:
    """The same rule for the CRD, where a pattern alone says nothing but itself."""
    return f'self.matches(r"{pattern}")'


Bucket = Annotated[str, Field(min_length=3, max_length=63), _like(BUCKET_PATTERN, BUCKET_TOLD)]
Prefix = Annotated[str, Field(max_length=512), _like(PREFIX_PATTERN, PREFIX_TOLD)]
S3Uri = Annotated[str, Field(max_length=1024), _like(S3_URI_PATTERN, S3_URI_TOLD)]
