"""The embedded stack: everything an import needs, on one machine, without containers (docs/contracts.md)."""
