"""Settings: where and with what a project runs. They are outside the spec and change no result.

Order: flags, then ``LAKECAST_*`` variables, then ``lakecast.local.toml``, then defaults inside the
project's folder.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from lakecast import machine
from lakecast.errors import UsageError

LOCAL_FILE: Final = "lakecast.local.toml"
SHARE: Final = 0.6  # of the machine's memory, where no budget is set
Engine = Literal["local", "ray", "dask"]
Fits = Literal["apart", "together"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Resolved settings of one project.

    `lake` is a folder or an `s3://bucket/prefix` URL, `tracking_uri` an MLflow URI, `memory` a
    budget in bytes (None: 60% of what the machine or its cgroup has), `workers` a number of
    threads, or of processes of a cluster started here (None: the machine's cores), `cluster` the
    address of one that is there, `ray` the options that are Ray's own (`runtime_env`), `fits`
    whether a cluster's workers fit a model each, or one after the other together. Credentials are
    read from the environment by the store.
    """

    project: Path
    lake: str
    tracking_uri: str
    engine: Engine = "local"
    workers: int | None = None
    memory: int | None = None
    cluster: str | None = None
    ray: Mapping[str, Any] = field(default_factory=dict)
    fits: Fits = "apart"

    @property
    def threads(self) -> int:
        """Number of threads to use."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def budget(self) -> int:
        """Bytes that every stage stays within: `memory`, or its default."""
        return self.memory or int(SHARE * machine.memory())


def resolve(
    project: Path,
    *,
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of the project in a folder. Raises `UsageError` for a value that is not valid."""
    folder = project.resolve()
    given = _file(folder / LOCAL_FILE)
    env = os.environ if environ is None else environ
    for name in _NAMES:
        if value := env.get(f"LAKECAST_{name.upper()}"):
            given[name] = (value, f"LAKECAST_{name.upper()}")
    for name, value in (flags or {}).items():
        if value is not None:
            given[name] = (value, f"--{name.replace('_', '-')}")
    return Settings(
        project=folder,
        lake=_inside(folder, _text(given, "lake", "lake")),
        tracking_uri=_text(given, "tracking_uri", f"sqlite:///{folder}/mlflow.db"),
        engine=_engine(given),
        workers=_workers(given),
        memory=_memory(given),
        cluster=_text(given, "cluster", "") or None,
        ray=_ray(given),
        fits=_fits(given),
    )


_NAMES: Final = tuple(f.name for f in fields(Settings) if f.name != "project")
_Given = dict[str, tuple[object, str]]


def _file(path: Path) -> _Given:
    if not path.exists():
        return {}
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not valid TOML: {error}", where=path.name, cure="mend it") from None
    for name in tree:
        if name not in _NAMES:
            raise UsageError(
                f"unknown setting `{name}`", where=path.name, cure=f"known: {', '.join(_NAMES)}"
            )
    return {name: (value, f"{path.name}: {name}") for name, value in tree.items()}


def _text(given: _Given, name: str, default: str) -> str:
    return str(given[name][0]) if name in given else default


def _inside(folder: Path, location: str) -> str:
    return location if "://" in location else str(folder / location)


def _engine(given: _Given) -> Engine:
    return cast("Engine", _one_of(given, "engine", get_args(Engine)))


def _fits(given: _Given) -> Fits:
    return cast("Fits", _one_of(given, "fits", get_args(Fits)))


def _one_of(given: _Given, name: str, known: tuple[str, ...]) -> str:
    """One of the known values; the first where none is given."""
    value, where = given.get(name, (known[0], ""))
    if value not in known:
        cure = f"use one of: {', '.join(known)}"
        raise UsageError(f"unknown {name} {value!r}", where=where, cure=cure)
    return str(value)


def _ray(given: _Given) -> Mapping[str, Any]:
    """A table of the file, or JSON in the variable."""
    if "ray" not in given:
        return {}
    value, where = given["ray"]
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("runtime_env", {}), dict):
        raise UsageError("not options of Ray", where=where, cure="write [ray] with runtime_env")
    if unknown := sorted(set(found) - {"runtime_env"}):
        raise UsageError(f"unknown option `{unknown[0]}`", where=where, cure="known: runtime_env")
    return found


def _workers(given: _Given) -> int | None:
    if "workers" not in given:
        return None
    value, where = given["workers"]
    if not str(value).isdigit() or int(str(value)) < 1:
        raise UsageError(f"not a number of workers: {value!r}", where=where, cure="use 1 or more")
    return int(str(value))


_UNITS: Final = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20,
                 "GIB": 2**30}  # fmt: skip


def _memory(given: _Given) -> int | None:
    if "memory" not in given:
        return None
    value, where = given["memory"]
    text = str(value).strip().upper()
    number = text.rstrip("BIKMG")
    try:
        amount = int(float(number) * _UNITS[text[len(number) :].strip()])
    except (ValueError, KeyError):
        amount = 0
    if amount < 1:
        raise UsageError(
            f"not an amount of memory: {value!r}", where=where, cure="write it like 4GB or 512MiB"
        )
    return amount
