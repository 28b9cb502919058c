"""The documents that the controller hands out: the job and its ConfigMaps, the dashboard. Pure."""
