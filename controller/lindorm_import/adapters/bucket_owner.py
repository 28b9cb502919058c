"""Whose a bucket must be: every call that can say it says the controller's account.

Names of buckets are one for all of AWS. A bucket that was deleted, or that an import names by mistake, may be another
account's, and one of theirs may let the role in. S3 refuses with 403 where the owner is another one (S3 User Guide,
"Verifying bucket ownership with bucket owner condition"); so does what DynamoDB reads from and writes to S3.
"""

from collections.abc import Callable
from typing import Any

# The members of requests that name an owner (S3's, DynamoDB's ImportTable, StartBulkPutItems and their like).
OWNERS = ("ExpectedBucketOwner", "ExpectedSourceBucketOwner", "S3BucketOwner")


def expect_owner(client: Any, account: Callable[[], str]) -> None:
    """From now on each of the client's calls that can name a bucket's owner does so. account: asked for with each such
    call; the id of twelve digits. What it raises, the call raises."""

    def name(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.input_shape is not None:
            _name(params, model.input_shape, account)

    client.meta.events.register(f"before-parameter-build.{client.meta.service_model.service_id.hyphenize()}", name)


def _name(params: dict[str, Any], shape: Any, account: Callable[[], str]) -> None:
    for member, kind in shape.members.items():
        if member in OWNERS:
            params[member] = account()
        elif kind.type_name == "structure" and isinstance(params.get(member), dict):
            params[member] = dict(params[member])  # the caller's own stays as it is
            _name(params[member], kind, account)
