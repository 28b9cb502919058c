"""A stand-in for EMR's Flink operator with real Flink behind it.

It follows release 1.10.0, from which that of EMR 7.7 to 7.9 is made; of which later ones are AWS does not say.

`decide` is the operator: a pure function from a FlinkDeployment and what is seen of its cluster to a new status and
a list of actions, after apache/flink-kubernetes-operator, tag release-1.10.0. `cluster` is what Kubernetes would be:
it mounts ConfigMaps and Secrets, starts JobManager and TaskManagers as processes, and starts again what dies.
`operator` joins the two; `proxy` makes every JobManager's REST API reachable on one port.
"""
