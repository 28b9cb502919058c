"""decide(): from spec, status and what was seen to the next status and the next actions. Pure: no I/O, no clock.

core.py: the order of a pass, the beginning and the end; prepare.py: before the job; follow.py: while it runs;
deletion.py: when the import is deleted; passes.py: what they all share.
"""

from lindorm_import.decide.core import decide
from lindorm_import.decide.deletion import decide_deletion
from lindorm_import.decide.passes import Decision, Settings

__all__ = ["Decision", "Settings", "decide", "decide_deletion"]
