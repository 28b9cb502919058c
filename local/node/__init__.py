"""A real node on this machine: the embedded stack with a kubelet, containerd, DNS and a real Flink operator on it.

    with Node() as node:                    # builds what is missing; root on Linux; one node a machine
        node.load_rows(200_000)             # half of them in the examples' time range
        node.create_secret()
        node.install_controller()           # the chart, as helm installs it; values={…} for more
        node.kubectl("apply", "-f", "-", text=…)   # node.apply(document), node.get("limport", "-n", "migration")
        World(node, "migration")            # local.demo: clients, differences(), leftovers(), watch()

What pods must use in a spec has the node's address: `node.pod_environment["LINDORM_URL"]`; what this machine uses is
in `node.environment`, and the ports are the same (local/node/outside.py carries the connections).

    node.pods("component=taskmanager")      # also component=jobmanager; namespace= for others
    node.kill_processes(pod)                # SIGKILL, or another signal: the kubelet starts the container again
    node.kubectl("delete", "pod", name, "-n", "migration", "--force", "--grace-period=0")
    node.restart("kubelet")                 # or any program of the node or the stack (stack/log/NAME.log)
    node.signal("kubelet", signal.SIGSTOP)  # holds it; SIGCONT lets it continue
    node.kill_processes(operator_pod, signal.SIGSTOP)
    node.drain(); node.uncordon()
    node.load_image(archive)
    node.command_inside("iptables-save")    # a command line that runs in the node's namespaces

Files: `.stack/node/node.log` (the start's steps with their times), `.stack/node/stack/log/` (programs),
`.stack/node/stack/node/pods/` (logs of pods; they stay after the node's end).
"""

from local.node.node import Node, NodeError

__all__ = ["Node", "NodeError"]
