"""The controller as a process: kopf, one pass after the other, metrics, logs, health."""
