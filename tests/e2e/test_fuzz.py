"""Specs that nobody would write, drawn from the CRD's own schema: the API server and the models judge each alike, and
what is admitted neither sticks nor ends in an error that nobody knows."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from pydantic import ValidationError
from pydantic.alias_generators import to_snake

from lindorm_import.adapters.foreign import at
from lindorm_import.api import GROUP, KIND, PLURAL, VERSION
from lindorm_import.api.crd import crd
from lindorm_import.api.spec import ImportSpec
from local.stack import Stack
from tests.controller.factories import SPEC
from tests.controller.fakes import World

pytestmark = pytest.mark.stack

Document = dict[str, Any]
EXAMPLES = 500
SCHEMA: Document = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
# A valid import that uses every part of the spec.
FULL: Document = {
    **deepcopy(SPEC),
    "source": {
        **deepcopy(SPEC["source"]), "tls": {"mode": "Required"}, "columns": ["device", "ts", "metric", "val"],
        "filter": "val > 0",
        "pageSize": 500, "maxRowsPerSecond": 5000, "splitPoints": ["d1", "d2"],
    },
    "target": {
        "region": "us-west-2", "table": "readings",
        "key": {"partition": "device", "sort": "{ts}#{metric}", "sortName": "at"},
        "attributes": [{"column": "val", "name": "value", "as": "String"}], "partitionShards": 4, "nulls": "Write",
        "capacity": {
            "mode": "Provisioned", "writeUnits": 100, "autoscaling": {"min": 10, "max": 200, "targetUtilization": 50},
            "after": {"mode": "OnDemand", "readUnits": 9},
        },
        "create": "IfMissing", "tags": {"team": "data"}, "pointInTimeRecovery": True, "deletionProtection": False,
        "deletionPolicy": "Delete",
    },
    "staging": {"bucket": "my-import-bucket", "prefix": "a/b/", "create": "IfMissing", "deletionPolicy": "Delete"},
    "job": {
        "executionRoleArn": "arn:aws:iam::123456789012:role/job", "emrReleaseLabel": "emr-7.13.0-flink-latest",
        "image": "repo/job:1", "monitoring": {"s3LogURI": "s3://logs/a", "logGroup": "g"}, "parallelism": 2,
        "taskManager": {"slots": 2, "processMemory": "4g", "managedMemory": "128m", "cpu": 1},
        "nodeSelector": {"a": "b"}, "checkpoint": {"interval": "30s", "minPause": "10s", "timeout": "5m"},
        "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "2"},
    },
    "rejects": {"max": 5}, "budget": {"maxCostUSD": "10", "maxDuration": "1h"}, "suspend": False,
    "ttlAfterFinished": "1d",
}  # fmt: skip


def of_schema(schema: Document) -> st.SearchStrategy[Any]:
    """What the schema allows. (hypothesis-jsonschema 0.23.1 does not know the hypothesis of today.)"""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            least, most = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
            return st.integers(least, most) | st.sampled_from([least, most])
        case "string" if schema.get("format") == "date-time":
            return st.datetimes(datetime(1900, 1, 1), datetime(2262, 1, 1)).map(lambda t: f"{t.isoformat()}Z")
        case "string":
            least, most = schema.get("minLength", 0), schema.get("maxLength", 300)
            text = st.text(min_size=least, max_size=min(most, 300)) | st.just("x" * most)
            if "pattern" not in schema:
                return text
            return text | st.from_regex(schema["pattern"]).filter(lambda t: least <= len(t) <= most)
        case "array":
            return st.lists(of_schema(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)
    if "additionalProperties" in schema:
        return st.dictionaries(st.text(max_size=20), of_schema(schema["additionalProperties"]), max_size=4)
    fields = {name: of_schema(child) for name, child in schema.get("properties", {}).items()}
    needed = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(needed, optional=fields)


def places(node: Document, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Document]]:
    """Every field of the spec with its schema."""
    for name, child in node.get("properties", {}).items():
        yield (*path, name), child
        yield from places(child, (*path, name))


PLACES = list(places(SCHEMA))
LEAVES = [(path, schema) for path, schema in PLACES if "properties" not in schema]
# What programs read differently: widths of numbers, kinds of spaces and digits, ends of lines, forms of times.
NEAR_MISSES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30, 1.0, 1.5, 1e3, 2000.0]),
    st.sampled_from(
        ["", " ", "\n", "a\n", "\u0661", "\u00a0", "\u2028", "é", "\U0001f600", "a" * 64, "a" * 256, "x" * 5000, "-1",
         "0", "true", "null", "1h", "1h\n", "1.5h", "01h", "1d", "0s", "99999d", "1g", "01g", "4096M", "1e3", "1_0"]
    ),
    st.sampled_from(
        ["2023-01-01", "2023-01-01T00:00:00", "2023-01-01T00:00:00z", "2023-01-01t00:00:00Z", "2023-01-01 00:00:00Z",
         "2023-01-01T00:00:60Z", "2023-02-30T00:00:00Z", "2023-01-01T24:00:00Z", "2023-01-01T00:00:00.Z",
         "2023-01-01T00:00:00.1234567890Z", "2023-01-01T00:00:00+24:00", "2023-01-01T00:00:00+0100", "1672531200",
         "2023-01-01T00:00:00-00:00", "2023-01-01T00:00Z", "2023-W01-1", "0000-01-01T00:00:00Z",
         "2023-01-01T00:00:00,5Z", "+02023-01-01T00:00:00Z", "2023-1-1T0:0:0Z", "2023-01-01T00:00:00.5Z",
         "2023-01-31T23:59:59+14:00"]
    ),
    st.sampled_from([[], {}, [None], [""], {"": ""}, {"a": None}, {"a": 1}, ["a", "a"], [[]], {"aws:x": "y"}]),
)  # fmt: skip


ODD = "\n\r\t\0\x1f\x7f\x85\u00a0\u0661\u2028\u3000\ufeffé\U0001f600%+'\"`\\;/:.-_ {}#aZ0"


def put(document: Document, path: tuple[str, ...], value: Any) -> None:
    node: Any = document
    for name in path[:-1]:
        node = node.setdefault(name, {}) if isinstance(node, dict) else {}
    if isinstance(node, dict):
        node[path[-1]] = value


@st.composite
def mutated(draw: st.DrawFn) -> Document:
    """A valid spec of which some fields are what the schema allows, or nearly."""
    spec = deepcopy(draw(st.sampled_from([SPEC, FULL])))
    for path, schema in draw(st.lists(st.sampled_from(LEAVES) | st.sampled_from(PLACES), min_size=1, max_size=2)):
        if draw(st.integers(0, 19)) == 19:
            unknown = draw(st.sampled_from(["unknownField", to_snake(path[-1]) + "_", to_snake(path[-1])]))
            put(spec, (*path[:-1], unknown), draw(of_schema(schema) | NEAR_MISSES))
        else:
            drawn = [of_schema(schema), of_schema(schema), NEAR_MISSES]
            if isinstance(known := at(spec, *path), str):
                odd = st.tuples(st.integers(0, len(known)), st.sampled_from(ODD))
                drawn.append(odd.map(lambda o: known[: o[0]] + o[1] + known[o[0] :]))
            put(spec, path, draw(st.one_of(drawn)))
    return spec


class Server:
    """The API server with the CRD; nothing is kept."""

    def __init__(self, stack: Stack) -> None:
        self._objects = client.CustomObjectsApi(stack.api_client())

    def admitted(self, spec: Document) -> Document | str:
        """The spec with what the API server fills in, or why it refuses it."""
        document = {
            "apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "metadata": {"name": "fuzz"}, "spec": spec,
        }  # fmt: skip
        try:
            made = self._objects.create_namespaced_custom_object(
                GROUP, VERSION, "default", PLURAL, document, dry_run="All", field_validation="Strict"
            )
        except ApiException as error:
            if error.status not in (400, 422):
                raise  # no verdict
            return str(error.body)
        found: Document = made["spec"]
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Stack(tmp_path_factory.mktemp("kube"), parts=["kube"]) as stack:
        yield Server(stack)


# What the API server cannot judge: whether a text is an expression of SQL. Such an import is Stalled, and told why.
ONLY_THE_MODELS = {("source", "filter")}


def refused_by_the_models(spec: Document) -> dict[tuple[Any, ...], str]:
    """Which fields, and why."""
    try:
        ImportSpec.model_validate(spec)
    except ValidationError as error:
        return {e["loc"]: e["msg"] for e in error.errors()}
    return {}


def lives(spec: Document) -> str:
    """An import of that spec gets some passes and is deleted: each tells what is wrong in words that are known. The
    reason of Ready before the deletion."""
    world = World()
    world.api.add(
        PLURAL, {"metadata": {"name": "fuzz", "uid": "u" * 36, "finalizers": ["lindorm.io/finalizer"]}, "spec": spec}
    )
    for _ in range(6):
        outcome = world.run_pass("fuzz")
        assert outcome
        assert outcome.trouble is None or outcome.trouble.reason != "UnexpectedError", outcome.trouble
        world.tick(max(1.0, outcome.requeue or 1.0))
    ready = world.condition("Ready", "fuzz")
    assert ready["message"], "the user is told where it stands"
    world.remove("fuzz")
    return str(ready["reason"])


def test_specs_from_the_schema_are_judged_alike_by_server_and_models_and_none_sticks(server: Server) -> None:
    verdicts: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(spec=mutated())
    def judge(spec: Document) -> None:
        admitted, refused = server.admitted(spec), refused_by_the_models(spec)
        if isinstance(admitted, str):
            verdicts["refused"] += 1
            assert refused, f"the models take what the API server refuses: {admitted}"
            return
        verdicts["admitted"] += 1
        assert refused.keys() <= ONLY_THE_MODELS, f"the API server takes what the models refuse: {refused}"
        if not refused:
            filled_in, written = ImportSpec.model_validate(admitted), ImportSpec.model_validate(spec)
            assert filled_in == written, "what the API server fills in means the same"
        told = lives(admitted)
        assert bool(refused) == (told == "InvalidSpec"), told

    judge()
    assert verdicts["refused"] > EXAMPLES // 5, verdicts
    assert verdicts["admitted"] > EXAMPLES // 10, verdicts
