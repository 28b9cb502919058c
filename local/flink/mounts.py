"""ConfigMaps and Secrets as files, as a kubelet mounts them into a pod and keeps them up to date."""

from __future__ import annotations

import base64
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from local.flink.model import Json

CONTAINER = "flink-main-container"
_DATA = "..data"  # the kubelet's name for the link to the current files


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
    """Write every ConfigMap and Secret volume of the podTemplate below `folder`; again for what has changed.

    Returns the local folder of each mountPath of Flink's container. The files are 0644, as a kubelet makes them, those
    of Secrets too; the folder around them, which no pod has, can be entered by its owner alone.
    As with a kubelet, a reader finds the old files or the new ones, whole, and never none: the names are links into a
    hidden folder that is replaced in one step. Errors: NotMountable, with what was mounted before untouched.
    """
    pod = (spec.get("podTemplate") or {}).get("spec") or {}
    contents = {volume["name"]: _content(volume, namespace, reader) for volume in pod.get("volumes") or []}
    folders = {}
    for wanted in main_container(spec).get("volumeMounts") or []:
        files = contents.get(wanted["name"])
        if files is None:
            continue
        target = folder / wanted["name"]
        _write(target, files)
        folders[wanted["mountPath"]] = str(target)
    return folders


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


def _write(target: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold exactly these files."""
    data = target / _DATA
    if _read(data) == files:
        return
    target.mkdir(parents=True, mode=0o700, exist_ok=True)
    # Who is just opening a file is still in there, so it goes only with the next change.
    before = target / data.readlink() if data.is_symlink() else None
    new = Path(tempfile.mkdtemp(prefix="..", dir=target))
    for name, content in files.items():
        path = new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    _link(data, new.name)
    tops = {Path(name).parts[0] for name in files}
    for top in tops:
        _link(target / top, f"{_DATA}/{top}")
    for entry in target.iterdir():
        if not entry.name.startswith(".."):
            if entry.name not in tops:
                entry.unlink()
        elif entry not in (data, new, before):
            shutil.rmtree(entry)


def _link(path: Path, to: str) -> None:
    """A symbolic link, in place of what stood there."""
    new = path.with_name(path.name + "..new")
    new.unlink(missing_ok=True)
    new.symlink_to(to)
    new.rename(path)


def _read(data: Path) -> dict[str, bytes] | None:
    """The files below a folder by their path; None where there is no folder."""
    if not data.exists():
        return None
    return {str(f.relative_to(data)): f.read_bytes() for f in data.rglob("*") if f.is_file()}
