"""A real node on this machine: the embedded stack with a kubelet, containerd, DNS and a real Flink operator."""
