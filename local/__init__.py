"""The embedded stack: everything an import needs, on one machine, without containers (docs/contracts.md).

In a checkout the controller's package is not installed: it lies in controller/. Whoever imports this package finds it
there, and so does every process that is started with this one's environment.
"""

import os
import sys
from pathlib import Path

_SOURCES = str(Path(__file__).resolve().parent.parent / "controller")
if _SOURCES not in sys.path:
    sys.path.insert(0, _SOURCES)
_known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if _SOURCES not in _known:
    os.environ["PYTHONPATH"] = os.pathsep.join([_SOURCES, *filter(None, _known)])
