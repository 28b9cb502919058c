"""Mounted objects that change while the job runs."""

import threading
from pathlib import Path
from typing import Any

from local.flink import mounts


class Objects:
    """ConfigMaps by name, which a test changes."""

    def __init__(self, **config_maps: dict[str, bytes]) -> None:
        self.config_maps = config_maps

    def config_map(self, namespace: str, name: str) -> dict[str, bytes] | None:
        return self.config_maps.get(name)

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        return None


DIRECTORY = "/etc/lindorm-import/rates"
SPEC: dict[str, Any] = {
    "podTemplate": {
        "spec": {
            "volumes": [{"name": "rates", "configMap": {"name": "rates"}}],
            "containers": [
                {
                    "name": mounts.CONTAINER,
                    "volumeMounts": [{"name": "rates", "mountPath": "/etc/lindorm-import/rates"}],
                }
            ],
        }
    }
}


def mount(folder: Path, objects: Objects) -> Path:
    return Path(mounts.mount(SPEC, "ns", folder, objects)[DIRECTORY])


def test_a_changed_config_map_reaches_the_files_and_a_removed_key_takes_its_file_along(tmp_path: Path) -> None:
    objects = Objects(rates={"rates.json": b"1", "old": b"x"})
    folder = mount(tmp_path, objects)
    objects.config_maps["rates"] = {"rates.json": b"2", "new": b"y"}
    assert mount(tmp_path, objects) == folder
    assert {f.name: f.read_bytes() for f in folder.iterdir() if not f.name.startswith("..")} == {
        "rates.json": b"2",
        "new": b"y",
    }


def test_only_the_files_now_and_before_are_kept(tmp_path: Path) -> None:
    objects = Objects(rates={"rates.json": b"1"})
    folder = mount(tmp_path, objects)
    for i in range(5):
        objects.config_maps["rates"] = {"rates.json": str(i).encode()}
        mount(tmp_path, objects)
    assert len([f for f in folder.iterdir() if not f.is_symlink()]) == 2


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    objects = Objects(rates={"rates.json": b"1"})
    file = mount(tmp_path, objects) / "rates.json"
    written = file.resolve()
    mount(tmp_path, objects)
    assert file.resolve() == written


def test_a_reader_finds_the_old_or_the_new_file_and_never_none(tmp_path: Path) -> None:
    objects = Objects(rates={"rates.json": b"0" * 1000})
    file = mount(tmp_path, objects) / "rates.json"
    seen: set[bytes] = set()
    failures: list[OSError] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(file.read_bytes())
            except OSError as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(200):
        objects.config_maps["rates"] = {"rates.json": str(i % 10).encode() * 1000}
        mount(tmp_path, objects)
    stop.set()
    reader.join()
    assert failures == []
    assert all(len(content) == 1000 and len(set(content)) == 1 for content in seen)
