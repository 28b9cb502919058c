"""Generates the CRD from the models: `python -m lindorm_import.api.crd > crds/lindormimports.lindorm.io.yaml`.

The schema is structural: references are inlined, optional means absent, objects whose parts all have defaults
get `default: {}` so that the API server fills them in. CEL rules say what one document can break (the same
rules as the models') and what may not change.
"""

import sys
from typing import Any

import yaml
from pydantic import BaseModel

from lindorm_import.api import GROUP, KIND, PLURAL, SHORT_NAME, VERSION
from lindorm_import.api.change import Change, changes
from lindorm_import.api.instants import FIRST, LAST, text_of
from lindorm_import.api.paths import (
    BUCKET_PATTERN,
    BUCKET_TOLD,
    OWN_PATHS,
    OWN_PATHS_TOLD,
    PREFIX_PATTERN,
    PREFIX_TOLD,
    S3_URI_PATTERN,
    S3_URI_TOLD,
    cel,
)
from lindorm_import.api.spec import (
    BULK_CAPACITY_TOLD,
    BULK_LEAST_UNITS,
    BULK_UNITS_TOLD,
    IMPORT_CAPACITY_TOLD,
    IMPORT_CREATES_TOLD,
    LINE_BREAK_TOLD,
    MAX_ATTRIBUTES,
    MAX_COLUMNS,
    MAX_FLINK_CONFIGURATION,
    MAX_SPLIT_POINTS,
    MINIMUM_PROCESS_MEMORY,
    SETTING_KEY,
    SETTING_KEY_TOLD,
    ImportSpec,
)
from lindorm_import.api.status import NOT_SEEN, ImportStatus

Schema = dict[str, Any]


def _mebibytes(field: str) -> str:
    """CEL: '4096m' -> 4096, '4g' -> 4096."""
    return f"int({field}.substring(0, {field}.size() - 1)) * ({field}.endsWith('g') ? 1024 : 1)"


def _bounded(field: str, lengths: str, most: int) -> tuple[str, str]:
    """CEL: the lengths of a list's or map's entries (a map() expression over it) together."""
    name = field.removeprefix("self.")
    return f"!has({field}) || {field}.{lengths}.sum() <= {most}", f"{name} have more than {most} characters together"


def _between(field: str, least: str, most: str, told: str) -> tuple[str, str]:
    """CEL: a duration without days."""
    name = f"self.{field}"
    bounds = f"duration({name}) >= duration('{least}') && duration({name}) <= duration('{most}')"
    return f"!has({name}) || {bounds}", told


def _without(method: str, rule: str, told: str) -> tuple[str, str]:
    """CEL: what has no meaning in a method of loading."""
    return f"!has(self.load) || !has(self.load.method) || self.load.method != '{method}' || {rule}", told


def _none_of(*fields: str) -> str:
    """CEL: none of these fields of the capacity, and no provisioned mode; warm: false says nothing."""
    absent = ["!has(self.capacity.mode) || self.capacity.mode != 'Provisioned'"]
    absent += [f"!has(self.capacity.{f})" + (f" || !self.capacity.{f}" if f == "warm" else "") for f in fields]
    return f"(!has(self.capacity) || {' && '.join(f'({each})' for each in absent)})"


# Rules are also evaluated on the default {}, in which the fields' own defaults are not filled in yet: hence has().
_RULES: dict[tuple[str, ...], list[tuple[str, str]]] = {
    ("source",): [
        _bounded("self.splitPoints", "map(p, size(p))", MAX_SPLIT_POINTS),
        _bounded("self.columns", "map(c, size(c))", MAX_COLUMNS),
    ],
    ("target",): [
        (
            "!has(self.tags) || self.tags.all(k, size(k) >= 1 && size(k) <= 128 && !k.startsWith('aws:') && "
            "!k.startsWith('lindorm.io/'))",
            "a tag's key has 1 to 128 characters and does not begin with aws: or lindorm.io/",
        ),
        _without("ImportTable", "!has(self.create) || self.create != 'Never'", IMPORT_CREATES_TOLD),
        _without("ImportTable", _none_of("writeUnits", "warm", "autoscaling"), IMPORT_CAPACITY_TOLD),
        _without("BulkPut", _none_of("warm", "autoscaling", "after"), BULK_CAPACITY_TOLD),
        _without(
            "BulkPut",
            f"!has(self.capacity) || !has(self.capacity.writeUnits) || self.capacity.writeUnits >= {BULK_LEAST_UNITS}",
            BULK_UNITS_TOLD,
        ),
        _bounded("self.attributes", "map(a, size(a.column) + (has(a.name) ? size(a.name) : 0))", MAX_ATTRIBUTES),
    ],
    ("job",): [
        _bounded(
            "self.flinkConfiguration",
            "map(k, size(k) + size(self.flinkConfiguration[k]))",
            MAX_FLINK_CONFIGURATION,
        ),
        (
            f"!has(self.flinkConfiguration) || !self.flinkConfiguration.exists(k, k in {list(OWN_PATHS)})",
            OWN_PATHS_TOLD,
        ),
        (
            f"!has(self.flinkConfiguration) || self.flinkConfiguration.all(k, k.matches(r'{SETTING_KEY}'))",
            SETTING_KEY_TOLD,
        ),
        (
            "!has(self.flinkConfiguration) || "
            r"""self.flinkConfiguration.all(k, !self.flinkConfiguration[k].matches('[\n\r\u0085\u2028\u2029]'))""",
            LINE_BREAK_TOLD,
        ),
        (
            "!has(self.nodeSelector) || self.nodeSelector.all(k, size(k) >= 1 && size(k) <= 317)",
            "a label of nodeSelector has 1 to 317 characters",
        ),
    ],
    ("job", "monitoring", "s3LogURI"): [(cel(S3_URI_PATTERN), S3_URI_TOLD)],
    ("staging", "bucket"): [(cel(BUCKET_PATTERN), BUCKET_TOLD)],
    ("staging", "prefix"): [(cel(PREFIX_PATTERN), PREFIX_TOLD)],
    ("job", "taskManager"): [
        (
            "!has(self.processMemory) || !has(self.managedMemory) || "
            f"{_mebibytes('self.processMemory')} >= {MINIMUM_PROCESS_MEMORY} + {_mebibytes('self.managedMemory')}",
            "processMemory must be at least 1024m more than managedMemory: Flink's own parts and the heap need that",
        ),
    ],
    ("job", "checkpoint"): [
        _between(
            "interval", "1s", "1h", "interval must be 1s to 1h: what was read since the last checkpoint is read again"
        ),
        _between("minPause", "0s", "1h", "minPause must be at most 1h"),
        _between("timeout", "10s", "24h", "timeout must be 10s to 24h"),
    ],
    ("source", "timeRange"): [
        ("self.start < self.end", "start must be before end: the range is start <= t < end"),
        (
            f"self.start >= timestamp('{text_of(FIRST)}') && self.end <= timestamp('{text_of(LAST)}')",
            f"start and end must be between {text_of(FIRST)} and {text_of(LAST)}",
        ),
        (
            "!has(self.unit) || self.unit != 'Nanoseconds' || "
            f"self.start >= timestamp('{text_of(-(2**63))}') && self.end <= timestamp('{text_of(2**63 - 1)}')",
            f"a column that counts Nanoseconds holds no times before {text_of(-(2**63))} or after {text_of(2**63 - 1)}",
        ),
    ],
    ("target", "capacity"): [
        (
            "!has(self.autoscaling) || has(self.mode) && self.mode == 'Provisioned'",
            "autoscaling needs mode: Provisioned",
        ),
        ("!has(self.mode) || self.mode != 'Provisioned' || has(self.writeUnits)", "mode: Provisioned needs writeUnits"),
        ("!has(self.warm) || !self.warm || has(self.writeUnits)", "warm: true needs writeUnits"),
    ],
    ("target", "capacity", "after"): [
        (
            "!has(self.mode) || self.mode != 'Provisioned' || has(self.writeUnits)",
            "capacity.after with mode: Provisioned needs writeUnits",
        ),
    ],
    ("target", "capacity", "autoscaling"): [
        ("self.min <= self.max", "autoscaling.min must not be more than autoscaling.max"),
    ],
}
# What a list of imports can be asked for by: who else uses a table, or a bucket (Kubernetes 1.31 and later).
_SELECTABLE = [".spec.target.table", ".spec.staging.bucket"]
_PRINTER_COLUMNS = [
    ("State", "string", ".status.summary", 0),
    ("Rows", "integer", ".status.progress.rowsRead", 0),
    ("Percent", "integer", ".status.progress.percent", 0),
    ("Throttled", "integer", ".status.throttling.events", 0),
    # A string: kubectl prints a date as an age, and of a time to come it prints <invalid>.
    ("ETA", "string", ".status.progress.eta", 0),
    ("Released", "string", ".status.conditions[?(@.type=='Released')].status", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Written", "integer", ".status.progress.itemsWritten", 1),
    ("Rejected", "integer", ".status.progress.itemsRejected", 1),
    ("Table", "string", ".spec.target.table", 1),
    ("Message", "string", ".status.conditions[?(@.type=='Ready')].message", 1),
]


def _inline(node: Any, definitions: Schema) -> Any:
    """Resolves references, drops what no structural schema holds, turns `T | null` into an optional T."""
    if isinstance(node, list):
        return [_inline(n, definitions) for n in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        return _inline({**target, **{k: v for k, v in node.items() if k != "$ref"}}, definitions)
    if "anyOf" in node:
        options = [o for o in node["anyOf"] if o.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a union has no structural schema: {node}")
        rest = {k: v for k, v in node.items() if k not in ("anyOf", "default")}
        return _inline({**options[0], **rest}, definitions)
    out: Schema = {}
    for name, value in node.items():
        if name == "$defs" or (name == "title" and isinstance(value, str)):
            continue
        if name == "properties":
            out[name] = {k: _inline(v, definitions) for k, v in value.items()}
        elif name == "additionalProperties" and value is False:
            continue  # the API server prunes or, with strict validation, refuses unknown fields
        elif name == "const":
            out["enum"] = [value]
        elif name == "default" and value is None:
            continue
        else:
            out[name] = _inline(value, definitions)
    return out


def _integer_formats(node: Schema) -> None:
    """Rows and write units do not fit 32 bits."""
    if node.get("type") == "integer":
        node.setdefault("format", "int64")
    for child in node.get("properties", {}).values():
        _integer_formats(child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            _integer_formats(node[key])


def _default_empty_objects(node: Schema) -> None:
    """An object with defaults inside and nothing required gets `default: {}`, so that they apply."""
    for child in node.get("properties", {}).values():
        _default_empty_objects(child)
        if child.get("type") != "object" or "properties" not in child or child.get("required"):
            continue
        if any("default" in grandchild for grandchild in child["properties"].values()):
            child.setdefault("default", {})


def _model_schema(model: type[BaseModel]) -> Schema:
    raw = model.model_json_schema(by_alias=True, mode="validation")
    schema: Schema = _inline(raw, raw.get("$defs", {}))
    _integer_formats(schema)
    return schema


def status_schema() -> Schema:
    """The status as the models say it."""
    return _model_schema(ImportStatus)


def _open(node: Schema) -> None:
    """Lets a status hold what this release does not know. A chart's upgrade does not touch CRDs, so a newer controller
    meets an older one: the API server must neither refuse a new kind of condition, and with it the whole status, nor
    silently drop a new field, which may be the name of something that was made. It fills in nothing either: what is
    absent was not written."""
    node.pop("enum", None)
    node.pop("default", None)
    if "properties" in node:
        node["x-kubernetes-preserve-unknown-fields"] = True
    for child in node.get("properties", {}).values():
        _open(child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            _open(node[key])


# The job has its limit from its submission on (docs/contracts.md, "The job config"); a lower one the controller keeps.
_REJECTS = "!has(self.status) || !has(self.status.job) || self.spec.rejects.max <= oldSelf.spec.rejects.max"
_REJECTS_TOLD = (
    "rejects.max cannot be raised once the job is submitted, which has taken the limit with it. Correct the rows in "
    "Lindorm, or delete this import and create it again with the higher limit: it writes the same items once more"
)


# Something has been made, or may have been: what stands in the status stands there before it is done.
_MADE = "has(self.status) && (has(self.status.job) || has(self.status.resources) && size(self.status.resources) > 0)"


def _fixed(spec: Schema) -> list[tuple[str, str]]:
    """A rule for each field that cannot change once something has been made (Change.FIXED)."""
    rules = []
    for path, change in changes(ImportSpec):
        if change is not Change.FIXED:
            continue
        parent = spec
        *parts, name = path.split(".")
        for part in parts:
            parent = parent["properties"][part]
        present = name in parent.get("required", []) or "default" in parent["properties"][name]
        told = f"{path} is fixed once the import has created something. Create another import"
        rules.append((f"!({_MADE}) || {_unchanged(f'spec.{path}', present)}", told))
    return rules


def _unchanged(path: str, present: bool) -> str:
    """CEL: the field is as it was; an optional one must also stay present or absent."""
    same = f"self.{path} == oldSelf.{path}"
    return same if present else f"has(self.{path}) == has(oldSelf.{path}) && (!has(self.{path}) || {same})"


def _spec_schema() -> Schema:
    schema = _model_schema(ImportSpec)
    _default_empty_objects(schema)
    for path, rules in _RULES.items():
        node = schema
        for part in path:
            node = node["properties"][part]
        node["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in rules]
    attributes = schema["properties"]["target"]["properties"]["attributes"]
    attributes["x-kubernetes-list-type"] = "map"
    attributes["x-kubernetes-list-map-keys"] = ["column"]
    return schema


def crd() -> Schema:
    """The CustomResourceDefinition as a document."""
    status, spec = status_schema(), _spec_schema()
    _open(status)
    # For kstatus an object without conditions is Current, unless it tells that it has not been looked at yet.
    status["default"] = {"observedGeneration": NOT_SEEN}
    conditions = status["properties"]["conditions"]
    conditions["x-kubernetes-list-type"] = "map"
    conditions["x-kubernetes-list-map-keys"] = ["type"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": ["lindorm"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path} | ({"priority": priority} if priority else {})
                        for name, type_, path, priority in _PRINTER_COLUMNS
                    ],
                    "selectableFields": [{"jsonPath": path} for path in _SELECTABLE],
                    "schema": {
                        "openAPIV3Schema": {
                            "description": "Imports a time range of a Lindorm table into DynamoDB, once.",
                            "type": "object",
                            "required": ["spec"],
                            "x-kubernetes-validations": [
                                {"rule": rule, "message": message}
                                for rule, message in [(_REJECTS, _REJECTS_TOLD), *_fixed(spec)]
                            ],
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": spec,
                                "status": status,
                            },
                        }
                    },
                }
            ],
        },
    }


def render() -> str:
    """The CRD as YAML, with a first line that says where it comes from."""
    return "# Generated by `make generate` from controller/lindorm_import/api. Do not edit.\n" + yaml.safe_dump(
        crd(), sort_keys=False, width=120
    )


if __name__ == "__main__":
    sys.stdout.write(render())
