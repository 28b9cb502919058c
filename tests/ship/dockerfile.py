"""Builds a target of the Dockerfile without a Docker engine: the same instructions, into folders.

A base image is an empty folder, and `python` is a fresh environment of this machine's Python. RUN lines run as they
stand, except that every absolute path lies below the stage's folder. So nothing of this machine is touched, and what
a line makes can be looked at and run.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from local.bootstrap import REPOSITORY

_ABSOLUTE = re.compile(r"(?<![\w./*-])/(?=[a-z])")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")

Instructions = list[tuple[str, str]]
Instead = Callable[[str, Path], bool]


@dataclass
class Stage:
    """One stage as built: its folder, and what the image says of itself."""

    root: Path
    base: str
    arguments: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    workdir: str = "/"

    def path(self, absolute: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.root / absolute.lstrip("/")

    def environment(self) -> dict[str, str]:
        """The variables of a container of this image, on this machine: with the folders of its PATH before ours."""
        own = [str(self.path(folder)) for folder in self.variables.get("PATH", "").split(":") if folder]
        return {**self.variables, "PATH": os.pathsep.join([*own, os.environ["PATH"]])}

    def program(self) -> list[str]:
        """What the entry point starts, found on the image's own PATH."""
        found = shutil.which(self.entrypoint[0], path=self.environment()["PATH"])
        assert found is not None, f"{self.entrypoint[0]} is not on the image's PATH"
        return [found, *self.entrypoint[1:]]


def parse(text: str) -> tuple[dict[str, str], dict[str, tuple[str, Instructions]]]:
    """The arguments before the first FROM, and of each stage its base and its instructions."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    arguments: dict[str, str] = {}
    stages: dict[str, tuple[str, Instructions]] = {}
    name = None
    for line in filter(str.strip, lines.splitlines()):
        instruction, _, rest = " ".join(line.split()).partition(" ")
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            stages[name] = (base, [])
        elif name is None:
            key, _, default = rest.partition("=")
            arguments[key] = default
        else:
            stages[name][1].append((instruction, rest))
    return arguments, stages


def in_context(path: Path) -> bool:
    """Whether .dockerignore lets a file of the repository into the build: the last line that matches decides."""
    relative, taken = path.relative_to(REPOSITORY), True
    names = [relative.as_posix(), *(parent.as_posix() for parent in relative.parents if parent.name)]
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").strip("/")
        if not pattern or pattern.startswith("#"):
            continue
        anywhere = pattern.removeprefix("**/")
        if any(fnmatch.fnmatch(n, pattern) or (anywhere != pattern and Path(n).name == anywhere) for n in names):
            taken = line.startswith("!")
    return taken


@dataclass
class Build:
    """Builds stages into `folder`. instead: called with each RUN line and the stage's folder before it would run; True
    means that it has been done in another way."""

    folder: Path
    instead: Instead
    stages: dict[str, Stage] = field(default_factory=dict)

    def target(self, name: str) -> Stage:
        """The stage of that name, built once, after those that it copies from."""
        if name not in self.stages:
            arguments, stages = parse((REPOSITORY / "Dockerfile").read_text())
            base, steps = stages[name]
            stage = Stage(self.folder / name, _expand(base, arguments))
            stage.root.mkdir(parents=True)
            for instruction, rest in steps:
                self._do(stage, instruction, rest, arguments)
            self.stages[name] = stage
        return self.stages[name]

    def _do(self, stage: Stage, instruction: str, rest: str, arguments: dict[str, str]) -> None:
        expanded = _expand(rest, stage.arguments | stage.variables)
        match instruction:
            case "ARG":
                key, given, default = rest.partition("=")
                stage.arguments[key] = default if given else arguments[key]
            case "ENV":
                stage.variables |= _pairs(expanded)
            case "LABEL":
                stage.labels |= _pairs(expanded)
            case "WORKDIR":
                stage.workdir = rest
                stage.path(rest).mkdir(parents=True, exist_ok=True)
            case "USER":
                stage.users.append(rest)
            case "ENTRYPOINT":
                stage.entrypoint = json.loads(rest)
            case "CMD":
                stage.command = json.loads(rest)
            case "COPY":
                self._copy(stage, expanded)
            case "RUN":
                self._run(stage, re.sub(r"^(--\S+ )+", "", rest))
            case _:
                raise ValueError(f"the Dockerfile has an instruction that this does not know: {instruction}")

    def _copy(self, stage: Stage, rest: str) -> None:
        words = shlex.split(rest)
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        origin = self.target(options["from"]).root if "from" in options else REPOSITORY
        to = stage.path(target if target.startswith("/") else f"{stage.workdir}/{target}")
        for source in sources:
            given = origin / source.strip("/")
            found = [given] if given.is_file() else [f for f in given.rglob("*") if f.is_file() or f.is_symlink()]
            files = [f for f in found if origin != REPOSITORY or in_context(f)]
            if not files:
                raise FileNotFoundError(f"COPY {rest}: there is no {source}, or .dockerignore leaves it out")
            for file in files:
                into_folder = target.endswith("/") or len(sources) > 1
                place = to / file.relative_to(given) if given.is_dir() else to / file.name if into_folder else to
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, place, follow_symlinks=False)
                if "chmod" in options:
                    place.chmod(int(options["chmod"], 8))
                if not place.is_symlink() and (content := place.read_bytes()).startswith(f"#!{origin}".encode()):
                    place.write_bytes(content.replace(str(origin).encode(), str(stage.root).encode()))

    def _run(self, stage: Stage, line: str) -> None:
        if self.instead(line, stage.root):
            return
        here = _ABSOLUTE.sub(f"{stage.root}/", line)
        environment = {**os.environ, "PATH": f"{self._python()}{os.pathsep}{os.environ['PATH']}"}
        command = ["sh", "-euc", here]
        where = stage.path(stage.workdir)
        result = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"RUN {line}\n{result.stdout}{result.stderr}")

    def _python(self) -> Path:
        """The folder of a `python` that stands for the base image's."""
        folder = self.folder / "python"
        if not folder.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        return folder / "bin"


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(text))


def _expand(text: str, variables: dict[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return variables.get(found[1] or found[3]) or found[2] or found[0]

    return _VARIABLE.sub(value, text)
