"""A real Kubernetes API: etcd, kube-apiserver and kube-controller-manager, as processes.

There are no nodes and no pods: what would run in pods is run by the stand-ins. Role-based access control, admission
by CRD schema and CEL, garbage collection of owned objects, and deletion of namespaces are the real thing.
"""
