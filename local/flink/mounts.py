"""ConfigMaps and Secrets as files, as a kubelet mounts them into a pod."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path
from typing import Protocol

from local.flink.model import Json

CONTAINER = "flink-main-container"


class NotMountable(Exception):  # noqa: N818 - a state of the pod, not an error of ours
    """A ConfigMap or Secret (or a key of it) is not there; the message is the kubelet's."""


class ObjectReader(Protocol):
    """Reads the data of ConfigMaps and Secrets."""

    def config_map(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The content by key; None where there is no such ConfigMap."""

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """The content by key; None where there is no such Secret."""


def decode_config_map(body: Json) -> dict[str, bytes]:
    """The content of a ConfigMap by key."""
    text = {key: value.encode() for key, value in (body.get("data") or {}).items()}
    return text | decode_secret({"data": body.get("binaryData")})


def decode_secret(body: Json) -> dict[str, bytes]:
    """The content of a Secret by key."""
    return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}


def main_container(spec: Json) -> Json:
    """The podTemplate's entry for Flink's own container; {} where there is none."""
    containers = ((spec.get("podTemplate") or {}).get("spec") or {}).get("containers") or []
    found: Json = next((c for c in containers if c.get("name") == CONTAINER), {})
    return found


def environment(spec: Json) -> dict[str, str]:
    """The environment variables that the podTemplate gives Flink's container as plain values."""
    return {entry["name"]: entry["value"] for entry in main_container(spec).get("env") or [] if "value" in entry}


def mount(spec: Json, namespace: str, folder: Path, reader: ObjectReader) -> dict[str, str]:
    """Write every ConfigMap and Secret volume of the podTemplate below `folder`.

    Returns the local folder of each mountPath of Flink's container. Files of Secrets can be read by their owner alone.
    Errors: NotMountable, with nothing half written that was whole before.
    """
    pod = (spec.get("podTemplate") or {}).get("spec") or {}
    contents = {volume["name"]: _content(volume, namespace, reader) for volume in pod.get("volumes") or []}
    folders = {}
    for wanted in main_container(spec).get("volumeMounts") or []:
        files = contents.get(wanted["name"])
        if files is None:
            continue
        target = folder / wanted["name"]
        _write(target, files, secret=_is_secret(pod, wanted["name"]))
        folders[wanted["mountPath"]] = str(target)
    return folders


def _is_secret(pod: Json, name: str) -> bool:
    return any(volume["name"] == name and "secret" in volume for volume in pod.get("volumes") or [])


def _content(volume: Json, namespace: str, reader: ObjectReader) -> dict[str, bytes] | None:
    """The files of one volume; None for a kind of volume that holds no object."""
    if "configMap" in volume:
        source, kind, name = volume["configMap"], "configmap", volume["configMap"]["name"]
        data = reader.config_map(namespace, name)
    elif "secret" in volume:
        source, kind, name = volume["secret"], "secret", volume["secret"]["secretName"]
        data = reader.secret(namespace, name)
    else:
        return None
    failed = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
    if data is None:
        if source.get("optional"):
            return {}
        raise NotMountable(f'{failed}{kind} "{name}" not found')
    if not source.get("items"):
        return data
    for item in source["items"]:
        if item["key"] not in data:
            raise NotMountable(f"{failed}references non-existent {kind} key: {item['key']}")
    return {item["path"]: data[item["key"]] for item in source["items"]}


def _write(target: Path, files: dict[str, bytes], *, secret: bool) -> None:
    """Fill a folder with exactly these files."""
    new = target.with_name(target.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    for name, content in files.items():
        path = new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600 if secret else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
