"""The world as one pass meets it: looked at, then changed, behind a fence in time."""
