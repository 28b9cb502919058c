"""Clients of the API server."""

from __future__ import annotations

from pathlib import Path

from kubernetes import client, config


def api_client(kubeconfig: Path) -> client.ApiClient:
    """A new client with the access that a kubeconfig gives. It retries nothing: a loop's next round does.

    Raises kubernetes.config.ConfigException where the file is not one.
    """
    access = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=access)  # type: ignore[no-untyped-call]
    access.retries = False
    return client.ApiClient(access)
