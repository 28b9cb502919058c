"""Narrow clients for what is outside: only the calls that the controller makes, errors in its own words."""
