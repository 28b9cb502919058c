"""Which other imports use the same table or bucket: asked of the API server, which has the last word."""

from typing import Any

from lindorm_import.api.spec import ImportSpec
from lindorm_import.domain.observed import OtherImport
from tests.controller.factories import SPEC, UID, spec
from tests.controller.fakes import World
from tests.controller.lives import DELETE

B, C = "0000000b-0000-4000-8000-000000000000", "0000000c-0000-4000-8000-000000000000"


def others(world: World, wanted: ImportSpec | None = None) -> dict[str, OtherImport]:
    found = world.reconciler.clients.kube.look_at_others(UID, wanted or spec())
    return {other.name: other for other in found}


def test_an_import_of_another_namespace_that_names_the_table_or_the_bucket_is_another_user() -> None:
    world = World()
    world.apply()
    world.apply(uid=B, name="copy", **{"staging.bucket": "another-bucket"})
    elsewhere: dict[str, Any] = {**SPEC, "target": {**SPEC["target"], "table": "another"}}
    world.api.add("lindormimports", {"metadata": {"name": "c", "namespace": "team", "uid": C}, "spec": elsewhere})
    found = others(world)
    assert {name: (o.namespace, o.uses_table, o.uses_bucket) for name, o in found.items()} == {
        "copy": ("default", True, False),
        "c": ("team", False, True),
    }
    assert not found["copy"].started


def test_a_table_of_the_same_name_in_another_region_is_another_table() -> None:
    world = World()
    world.apply(uid=B, name="copy", **{"target.region": "eu-central-1", "staging.bucket": "another-bucket"})
    assert others(world) == {}


def test_what_another_import_has_come_to_is_told() -> None:
    world = World()
    world.apply(uid=B, name="copy", **DELETE)
    world.run_to_end("copy")
    told = others(world)["copy"]
    assert (told.started, told.ended, told.deleting, told.gone) == (True, True, False, False)
    entry = told.resource("Table")
    assert entry
    assert (entry.name, entry.origin) == ("readings", "Created")
    world.delete("copy")
    assert others(world)["copy"].deleting
    world.status("copy")["summary"] = "Deleted"
    assert others(world)["copy"].gone


def test_an_api_server_that_knows_no_selectable_fields_is_asked_for_all_imports() -> None:
    world = World()
    world.api.selectable = frozenset()
    world.apply(uid=B, name="copy")
    world.apply(uid=C, name="other", **{"target.table": "other", "staging.bucket": "other-bucket"})
    assert list(others(world)) == ["copy"]


def test_only_the_namespaces_that_are_watched_are_asked() -> None:
    world = World()
    world.apply(uid=B, name="copy")
    kube = world.reconciler.clients.kube
    assert [o.name for o in type(kube)(kube.core, kube.objects, ("default",)).look_at_others(UID, spec())] == ["copy"]
    assert type(kube)(kube.core, kube.objects, ("team",)).look_at_others(UID, spec()) == ()


def test_a_status_of_another_version_is_read_as_far_as_it_is_known() -> None:
    world = World()
    world.apply(uid=B, name="copy")
    found = world.read("copy")
    entry = {"kind": "Queue", "name": "q", "origin": "Borrowed", "deletionPolicy": "Retain"}
    found["status"] = {"run": {"id": "r1"}, "resources": [entry], "conditions": [{"type": "New", "status": "Odd"}]}
    told = others(world)["copy"]
    assert (told.started, told.resources) == (True, ())
