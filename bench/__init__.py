"""Measures speed, cost and capacity: `make bench`."""

import local  # noqa: F401  # so that the controller's package is found
