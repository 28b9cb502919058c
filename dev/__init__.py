"""Writes what is made from other files: the chart, pages of docs/, releases. Not a part of what is installed."""

import local  # noqa: F401  # so that the controller's package is found
