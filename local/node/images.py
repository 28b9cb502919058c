"""The images that a node runs, built by buildah without a registry: the project's from its Dockerfile, and the rest.

They lie in a store of their own in the cache, tagged with a hash of all that they are made of, so that what has not
changed is not built again. A base image of the Dockerfile is the stand-in of local/node/images/Containerfile unless an
environment variable of the argument's name (PYTHON_IMAGE, MAVEN_IMAGE, FLINK_IMAGE) names a real one. FLINK_OPERATOR
names the Flink operator: a folder with its jars, or an image.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.bootstrap import REPOSITORY, BootstrapError, Layout, content_hash
from local.machine import java_tool
from local.node.parts import NodeLayout

_HERE = REPOSITORY / "local" / "node" / "images"
_LICENCES = [REPOSITORY / "LICENSE", REPOSITORY / "LICENSES.md"]
# Argument of the Dockerfile -> target of the Containerfile that stands in for it.
BASES = {"PYTHON_IMAGE": "python", "MAVEN_IMAGE": "maven", "FLINK_IMAGE": "flink"}
PREFIX = "localhost/lindorm-import/"


@dataclass(frozen=True)
class Images:
    """References of what the node runs."""

    pause: str
    operator: str
    controller: str
    job: str

    @property
    def all(self) -> tuple[str, ...]:
        """Every reference."""
        return (self.pause, self.operator, self.controller, self.job)


@dataclass(frozen=True)
class Store:
    """A store of images in the cache, and buildah on it."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """A command of buildah: in a mount namespace of its own, since it leaves a mount on its store."""
        options = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        return ["unshare", "--mount", "buildah", *options, "--storage-driver", "overlay", *arguments]

    def environment(self) -> dict[str, str]:
        """What buildah runs with: RUN steps in a chroot, temporary files and Maven's cache in the cache."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        return {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(temporary)}

    def output(self, *arguments: str) -> str:
        """What buildah prints; "" where it fails."""
        done = subprocess.run(self.command(*arguments), env=self.environment(), capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def run(self, *arguments: str) -> None:
        """Runs buildah, its output in the log. Raises BootstrapError with the log's end."""
        log = self.folder / "buildah.log"
        with log.open("ab") as out:
            command = self.command(*arguments)
            out.write(f"$ {' '.join(command)}\n".encode())
            out.flush()
            done = subprocess.run(command, env=self.environment(), stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        if done.returncode:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            raise BootstrapError(f"buildah {arguments[0]} failed; the whole log is {log}\n{tail}")

    def has(self, reference: str) -> bool:
        """Whether an image of this name is there."""
        return bool(self.output("images", "--quiet", reference))

    def names(self) -> list[str]:
        """Every name of an image."""
        listed = self.output("images", "--no-trunc", "--format", "{{.Name}}:{{.Tag}}", "--filter", "dangling=false")
        return listed.split()


@dataclass(frozen=True)
class Builder:
    """Builds the images of this checkout."""

    store: Store
    layout: Layout
    parts: NodeLayout
    say: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def build(self) -> Images:
        """Every image; what is there already is not built again, older ones of ours are removed.

        Raises BootstrapError.
        """
        self.store.folder.mkdir(parents=True, exist_ok=True)
        with (self.store.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (self.store.folder / "buildah.log").unlink(missing_ok=True)
            images = Images(self._ours("pause"), self._operator(), self._project("controller"), self._project("job"))
            kept = {*images.all, *(self._base_reference(target) for target in BASES.values())}
            for name in self.store.names():
                if name.startswith(PREFIX) and name not in kept:
                    self.store.run("rmi", name)
            return images

    def _built(self, reference: str, *arguments: str) -> str:
        if not self.store.has(reference):
            self.say(f"node: building {reference} …")
            started = time.monotonic()
            self.store.run("bud", "--layers", "--tag", reference, *arguments)
            self.say(f"node: {reference} is ready after {time.monotonic() - started:.0f} s")
        return reference

    def _base_reference(self, target: str) -> str:
        site = content_hash([REPOSITORY / "requirements" / "job.txt", REPOSITORY / "local" / "flink" / "pom.xml"])
        return f"{PREFIX}{target}:{content_hash([_HERE], site, self.parts.programs.name)}"

    def _ours(self, target: str, reference: str | None = None, jars: Path | None = None) -> str:
        """An image of the Containerfile."""
        packages = next((self.layout.job_venv / "lib").glob("python*/site-packages"))
        contexts = {
            "scripts": _HERE,
            "pyflink": packages,
            "plugin": self.layout.flink,
            "jars": jars or self.parts.operator,
            "pause": self.parts.programs,
        }
        options = [f"--build-context={name}={folder}" for name, folder in contexts.items()]
        options += ["--file", str(_HERE / "Containerfile"), "--target", target]
        return self._built(reference or self._base_reference(target), *options, str(self.parts.root_filesystem))

    def _operator(self) -> str:
        """The Flink operator's image: as FLINK_OPERATOR says, else of the jars that Maven has."""
        asked = self.environment.get("FLINK_OPERATOR", "")
        folder = Path(asked) if asked else self.parts.operator
        if asked and not folder.is_dir():
            if not self.store.has(asked):
                self.store.run("pull", asked)
            return asked
        found = [re.fullmatch(r"flink-kubernetes-operator-(\d.*)\.jar", jar.name) for jar in folder.iterdir()]
        version = next((match[1] for match in found if match), None)
        if version is None:
            raise BootstrapError(f"FLINK_OPERATOR: {folder} holds no flink-kubernetes-operator-VERSION.jar.")
        jars = ",".join(f"{jar.name} {jar.stat().st_size}" for jar in sorted(folder.glob("*.jar")))
        return self._ours("operator", f"{PREFIX}operator:{version}-{content_hash([_HERE], jars)}", folder)

    def _base(self, argument: str) -> str:
        return self.environment.get(argument) or self._ours(BASES[argument])

    def _project(self, target: str) -> str:
        """An image of the project's Dockerfile."""
        inputs = {
            "controller": ["requirements", "pyproject.toml", "controller"],
            "job": ["flink_job"],
        }[target]
        arguments = {"controller": ["PYTHON_IMAGE"], "job": ["MAVEN_IMAGE", "FLINK_IMAGE"]}[target]
        bases = {argument: self._base(argument) for argument in arguments}
        files = [REPOSITORY / "Dockerfile", *_LICENCES, *(REPOSITORY / name for name in inputs)]
        reference = f"{PREFIX}{target}:{content_hash(files, *bases.values())}"
        options = [f"--build-arg={name}={base}" for name, base in bases.items()]
        return self._built(reference, "--target", target, *options, *_trust(), str(REPOSITORY))


def _trust() -> Sequence[str]:
    """Options that let the steps of a build trust what this machine trusts (a proxy's authority, say)."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    java = Path(java_tool("java")) if "/" in java_tool("java") else Path("/usr/bin/java")
    keystore = (java.resolve().parent.parent / "lib" / "security" / "cacerts").resolve()
    mounts = {bundle: bundle, keystore: Path("/etc/ssl/certs/java/cacerts")}
    return [f"--volume={ours}:{theirs}:ro" for ours, theirs in mounts.items() if ours.is_file()]
