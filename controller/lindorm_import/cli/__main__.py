"""`python -m lindorm_import.cli`: the same as the installed `lindorm-import`."""

import sys

from lindorm_import.cli import main

if __name__ == "__main__":
    sys.exit(main())
