"""The pages of docs/ that are made and not written: the resource's reference from its CRD, what `plan`
answers, and the pictures of `watch` and `report`.

    python -m dev.docs            # write them (`make generate`)

tests/infra/test_docs.py fails when they are not up to date.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev import pictures
from lindorm_import.api.change import changes
from lindorm_import.api.crd import crd, status_schema
from lindorm_import.api.spec import ImportSpec

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
Schema = dict[str, Any]
_CHANGES = dict(changes(ImportSpec))

HEAD = """\
# The resource

`LindormImport` (`lindorm.io/v1alpha1`, short name `limport`), field by field. This page is made from the models of the
code by `make generate`; `kubectl explain limport.spec` says the same.

A field without a default and without "required" may be left out. Each field of the spec says what an edit of it does.
"""

# What docs/capacity-and-cost.md shows: name of the snippet -> arguments of `lindorm-import plan`.
PLANS = {
    "on-demand": ["--rows", "1250000000", "--item-bytes", "80", "--region", "us-east-1"],
    "recommended": ["-f", "examples/recommended-100gb.yaml", "--rows", "1250000000", "--item-bytes", "80"],
    "reference": ["-f", "examples/reference-100gb.yaml", "--rows", "1250000000", "--item-bytes", "80"],
}


def resource_page() -> str:
    """docs/resource.md."""
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    sections = [HEAD, "## spec\n", *_objects("spec", schema["spec"])]
    sections += ["## status\n\nWritten by the controller only.\n", *_objects("status", status_schema())]
    return "\n".join(sections)


def _objects(path: str, node: Schema) -> Iterator[str]:
    """The sections of an object and of the objects below it."""
    if path.count("."):
        yield f"### {path}\n"
        if text := node.get("description"):
            yield f"{_cell(text)}\n"
    rules = [rule["message"] for rule in node.get("x-kubernetes-validations", [])]
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    inner: list[tuple[str, Schema]] = []
    for name, field in node["properties"].items():
        below, child = f"{path}.{name}", field
        if field.get("type") == "array":
            below, child = f"{below}[]", field["items"]
        if child.get("type") == "object" and "properties" in child:
            inner.append((below, child))
        change = _CHANGES.get(below.removesuffix("[]").removeprefix("spec."))
        meaning = f"{_meaning(field)} {change.value}".lstrip() if change else _meaning(field)
        rows.append(f"| {_name(below, name, child)} | {_type(field)} | {_default(node, name)} | {meaning} |")
    yield "\n".join(rows) + "\n"
    if rules:
        yield "\n".join(f"- {_cell(rule)}." for rule in rules) + "\n"
    for below, child in inner:
        yield from _objects(below, child)


def _name(path: str, name: str, node: Schema) -> str:
    if node.get("type") == "object" and "properties" in node:
        anchor = path.lower().replace(".", "").replace("[]", "")
        return f"[`{name}`](#{anchor})"
    return f"`{name}`"


def _type(node: Schema) -> str:
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "object" and "additionalProperties" in node:
        return f"map of {_type(node['additionalProperties'])}"
    kind = {"date-time": "time", "int64": "integer"}.get(node.get("format", ""), node.get("type", "any"))
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:,} to {high:,}"
    if low is not None:
        return f"{kind}, at least {low:,}"
    if kind == "string" and "maxLength" in node and node["maxLength"] <= 4096:
        return f"string, at most {node['maxLength']:,}"
    return str(kind)


def _default(parent: Schema, name: str) -> str:
    if name in parent.get("required", []):
        return "required"
    default = parent["properties"][name].get("default")
    if default in (None, {}, []):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _meaning(node: Schema) -> str:
    text = node.get("description", node.get("items", {}).get("description", ""))
    if pattern := node.get("pattern"):
        text = f"{text} Form: `{pattern}`."
    return _cell(text.strip())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def plan_answer(arguments: list[str]) -> str:
    """What `lindorm-import plan` prints, as in a terminal of 120 columns."""
    answered = subprocess.run(
        [sys.executable, "-m", "lindorm_import.cli", "plan", *arguments],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "120"},
        check=True,
    )
    text = "\n".join(line.rstrip() for line in answered.stdout.splitlines())
    return f"$ lindorm-import plan {' '.join(arguments)}\n{text}\n"


def render() -> dict[Path, str]:
    """Every page, snippet and picture, by file."""
    plans = {DOCS / "snippets" / f"plan-{name}.txt": plan_answer(arguments) for name, arguments in PLANS.items()}
    return {DOCS / "resource.md": resource_page(), **plans, **pictures.render()}


def main() -> None:
    for file, text in render().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main()
