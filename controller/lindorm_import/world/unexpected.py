"""The last net: an error that nothing foresaw becomes a Trouble, told to the user and tried again."""

import logging
import traceback

from lindorm_import.domain.trouble import Trouble

log = logging.getLogger("lindorm-import")


def unexpected(error: Exception) -> Trouble:
    """What to tell of an error that no table of errors knows; the whole of it goes to the log.

    The error's own words are not told: nobody knows what stands in them, and conditions are read by many.
    """
    log.error("unexpected %s", type(error).__name__, exc_info=error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/lindorm_import/" in f.filename] or list(frames)
    where = f"{ours[-1].filename.rsplit('/lindorm_import/', 1)[-1]}:{ours[-1].lineno}" if ours else "an unknown place"
    return Trouble(
        "UnexpectedError",
        f"an unexpected {type(error).__name__} at {where}: an answer from outside, or a part of the spec, that this "
        "release does not understand. It will be retried; the controller's log has the whole error: report it as a bug",
    )
