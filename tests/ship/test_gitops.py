"""What Argo CD and Flux are told of an import's health, and that their files are what they take."""

import json
import re
import subprocess
from typing import Any

import celpy
import lupa.lua51
import pytest
import yaml

from lindorm_import.api.spec import ImportSpec
from local.bootstrap import REPOSITORY, Layout
from tests.ship.helm import Document, Helm, container
from tests.ship.test_chart_monitoring import checked

GITOPS = REPOSITORY / "gitops"
HEALTH = GITOPS / "argocd" / "LindormImport"
CASES: list[Document] = yaml.safe_load((HEALTH / "health_test.yaml").read_text())["tests"]
KEY = "resource.customizations.health.lindorm.io_LindormImport"


def documents(path: str) -> list[Document]:
    return [d for d in yaml.safe_load_all((GITOPS / path).read_text()) if d]


def built(tools: Layout, folder: str) -> list[Document]:
    """What `kustomize build` makes of a folder."""
    result = subprocess.run([tools.kustomize, "build", GITOPS / folder], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [d for d in yaml.safe_load_all(result.stdout) if d]


def health(script: str, resource: Document) -> Document:
    """What the script returns for a resource. Argo CD's Lua is 5.1 (gopher-lua), without libraries that reach out."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    for library in ("os", "io", "package", "require", "dofile", "loadfile"):
        lua.globals()[library] = None
    lua.globals()["obj"] = table(lua, resource)
    found = lua.execute(script)
    return {"status": found["status"], "message": found["message"]}


def table(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: table(lua, child) for key, child in value.items()})
    if isinstance(value, list):
        return lua.table_from([table(lua, child) for child in value])
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["inputPath"])
def test_argo_cd_shows_an_imports_health(case: Document, tools: Layout) -> None:
    resource = yaml.safe_load((HEALTH / case["inputPath"]).read_text())
    (config,) = built(tools, "argocd")
    assert config["metadata"]["name"] == "argocd-cm"
    assert list(config["data"]) == [KEY], "no other key of argocd-cm is touched"
    assert health(config["data"][KEY], resource) == case["healthStatus"]


def test_every_status_in_the_folder_is_tried() -> None:
    assert {case["inputPath"] for case in CASES} == {f"testdata/{p.name}" for p in (HEALTH / "testdata").iterdir()}


FLUX = {"Healthy": "current", "Degraded": "failed", "Progressing": "inProgress", "Suspended": "inProgress"}


@pytest.mark.parametrize("case", [c for c in CASES if "deleted" not in c["inputPath"]], ids=lambda c: c["inputPath"])
def test_flux_waits_for_the_same_end(case: Document) -> None:
    resource = yaml.safe_load((HEALTH / case["inputPath"]).read_text())
    (imports,) = [d for d in documents("flux/flux.yaml") if d["metadata"]["name"] == "lindorm-imports"]
    (check,) = imports["spec"]["healthCheckExprs"]
    assert (check["apiVersion"], check["kind"]) == (resource["apiVersion"], resource["kind"])
    holds = {name for name in ("inProgress", "failed", "current") if evaluated(check[name], resource)}
    if "status" in resource:
        assert holds == {FLUX[case["healthStatus"]["status"]]}
    else:  # an expression that cannot be evaluated makes Flux wait as well
        assert holds <= {"inProgress"}


def evaluated(expression: str, resource: Document) -> bool:
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    try:
        return bool(program.evaluate({key: celpy.json_to_cel(value) for key, value in resource.items()}))
    except celpy.CELEvalError:
        assert "status" not in resource
        return False


def test_flux_can_read_its_resources(tools: Layout) -> None:
    assert set(checked(tools, documents("flux/flux.yaml") + built(tools, "flux/controller"))) == {
        "kustomize.toolkit.fluxcd.io/v1 Kustomization lindorm-import",
        "kustomize.toolkit.fluxcd.io/v1 Kustomization lindorm-imports",
        "source.toolkit.fluxcd.io/v1 OCIRepository lindorm-import",
        "helm.toolkit.fluxcd.io/v2 HelmRelease lindorm-import",
    }


def test_the_paths_that_flux_and_argo_cd_name_are_there() -> None:
    for kustomization in documents("flux/flux.yaml"):
        assert (REPOSITORY / kustomization["spec"]["path"] / "kustomization.yaml").is_file()
    (imports,) = documents("argocd/imports.yaml")
    assert (REPOSITORY / imports["spec"]["source"]["path"] / "kustomization.yaml").is_file()


def test_only_what_the_release_workflow_has_signed_is_installed_by_flux() -> None:
    source, _ = documents("flux/controller/release.yaml")
    assert source["spec"]["verify"]["provider"] == "cosign"
    (identity,) = source["spec"]["verify"]["matchOIDCIdentity"]
    workflow = "https://github.com/OWNER/lindorm-import/.github/workflows/release.yaml@refs/tags/v1.2.3"
    assert re.search(identity["subject"], workflow)
    assert not re.search(identity["subject"], workflow.replace("refs/tags/v", "refs/heads/"))
    assert re.search(identity["issuer"], "https://token.actions.githubusercontent.com")
    assert (REPOSITORY / ".github" / "workflows" / "release.yaml").is_file()


def test_the_values_that_they_give_are_the_charts(helm: Helm) -> None:
    _, release = documents("flux/controller/release.yaml")
    (application,) = documents("argocd/controller.yaml")
    values = release["spec"]["values"]
    assert values == application["spec"]["source"]["helm"]["valuesObject"]
    text = json.dumps(values).replace("ACCOUNT", "123456789012").replace("REGISTRY", "registry.example")
    rendered = helm.template(json.loads(text.replace("DIGEST", "0" * 64)))
    assert "--namespace=migration" in container(rendered)["args"]


def test_an_application_of_argo_cd_has_the_fields_that_it_must_have() -> None:
    for path in ("argocd/controller.yaml", "argocd/imports.yaml"):
        (application,) = documents(path)
        spec = application["spec"]
        assert (application["apiVersion"], application["kind"]) == ("argoproj.io/v1alpha1", "Application")
        assert spec.keys() == {"project", "source", "destination", "syncPolicy"}
        assert spec["source"].keys() >= {"repoURL", "targetRevision"}
        assert len(spec["source"].keys() & {"chart", "path"}) == 1
        # A CRD as large as ours is too large for the annotation of a client-side apply.
        assert "ServerSideApply=true" in spec["syncPolicy"]["syncOptions"]


def test_an_import_that_is_gone_from_git_is_not_ended() -> None:
    (application,) = documents("argocd/imports.yaml")
    assert application["spec"]["syncPolicy"]["automated"]["prune"] is False
    (imports,) = [d for d in documents("flux/flux.yaml") if d["metadata"]["name"] == "lindorm-imports"]
    assert imports["spec"]["prune"] is False


def test_the_overlay_is_an_import_that_the_controller_takes(tools: Layout) -> None:
    (document,) = built(tools, "imports/overlays/production")
    assert document["metadata"]["namespace"] == "migration"
    spec = ImportSpec.model_validate(document["spec"])
    assert spec.target.capacity.write_units == 40_000
    assert spec.target.key == ImportSpec.model_validate(built(tools, "imports/base")[0]["spec"]).target.key
