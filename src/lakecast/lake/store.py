"""One place where bytes live: a folder or an S3 prefix, seen alike by pyarrow, Polars and delta-rs.

Credentials are never held: pyarrow, Polars and delta-rs each read the standard ``AWS_*`` variables
or the machine's own chain. What is held is where to go and how long to wait.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lakecast.errors import Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRATCH: Final = ".scratch"
_COPIED: Final = 1 << 20
_BUFFERED: Final = 1 << 20
"""Bytes written at a time: Parquet comes in thousands of small writes."""
_S3: Final = "s3://"
_ATTEMPTS: Final = 3
_UNREACHABLE: Final = (
    "NETWORK_CONNECTION", "ACCESS_DENIED", "NO_SUCH_BUCKET", "HTTP response code 403",
    "HTTP status 5", "InternalError", "ServiceUnavailable", "error sending request", "Connect",
    "Unable to connect", "timed out", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch",
    "NoSuchBucket", "missing credentials", "MissingRegion", "PermissionDenied",
    "Permission denied",
)  # fmt: skip


@dataclass(frozen=True)
class Store:
    """A root, and paths below it written with `/`.

    `root` is an absolute folder or `s3://bucket/prefix`. Equal roots are equal stores, and a store
    can be pickled. Every method raises `Unreachable` when the endpoint does not answer or refuses.
    """

    root: str

    @classmethod
    def open(cls, root: str | Path) -> Store:
        """The store at a folder (made absolute) or an S3 URL; nothing is created or contacted."""
        text = str(root)
        if text.startswith(_S3):
            return cls(text.rstrip("/"))
        if "://" in text:
            raise UsageError(
                f"no store of this kind: {text.split('://', maxsplit=1)[0]}://",
                where="lake",
                cure="use a folder or s3://bucket/prefix",
            )
        return cls(str(Path(text).absolute()))

    @property
    def remote(self) -> bool:
        """Whether the root is on S3."""
        return self.root.startswith(_S3)

    @property
    def endpoint(self) -> str:
        """Where the bytes are, for people."""
        return (_endpoint() or "AWS S3") if self.remote else self.root

    @cached_property
    def filesystem(self) -> Any:
        """The `pyarrow.fs` filesystem that `path` belongs to."""
        from pyarrow import fs

        if not self.remote:
            return fs.LocalFileSystem()
        endpoint = _endpoint()
        return fs.S3FileSystem(
            endpoint_override=endpoint,
            scheme="http" if endpoint and endpoint.startswith("http://") else "https",
            region=_region(),
            connect_timeout=5,
            request_timeout=60,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        )

    @property
    def storage_options(self) -> dict[str, str] | None:
        """Options for delta-rs and Polars; None for a folder. They hold no secret."""
        if not self.remote:
            return None
        options = {
            "aws_region": _region(),
            # Commits are conditional puts, so no lock table is needed.
            "aws_conditional_put": "etag",
            "connect_timeout": "5s",
            "timeout": "60s",
            "retry_timeout": "8s",
        }
        if endpoint := _endpoint():
            options["aws_endpoint_url"] = endpoint
            options["aws_allow_http"] = str(endpoint.startswith("http://")).lower()
        return options

    def join(self, *parts: str) -> Store:
        """The store below this one."""
        return Store("/".join([self.root, *parts])) if parts else self

    def path(self, *parts: str) -> str:
        """What `filesystem` calls a path below the root."""
        return "/".join([self.root.removeprefix(_S3), *parts])

    def uri(self, *parts: str) -> str:
        """What delta-rs and Polars call a path below the root."""
        return "/".join([self.root, *parts])

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file. Raises `FileNotFoundError`."""
        with self.open_input(path) as stream:
            return bytes(stream.read())

    def write_bytes(self, path: str, data: bytes) -> None:
        """Replace a file; on a folder by a rename, so that no reader sees half of it."""
        if self.remote:
            with self.open_output(path) as stream:
                stream.write(data)
            return
        target = Path(self.path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        part.write_bytes(data)
        part.replace(target)

    def list(self, path: str = "", *, recursive: bool = False) -> tuple[str, ...]:
        """Names of files and folders below a path, relative to it, sorted; none where absent."""
        from pyarrow import fs

        base = self.path(path) if path else self.path()
        with self.reaching():
            found = self.filesystem.get_file_info(
                fs.FileSelector(base, allow_not_found=True, recursive=recursive)
            )
        return tuple(sorted(info.path[len(base.rstrip("/")) + 1 :] for info in found))

    def exists(self, path: str) -> bool:
        """Whether a file or folder is there."""
        from pyarrow import fs

        with self.reaching():
            return bool(self.filesystem.get_file_info(self.path(path)).type != fs.FileType.NotFound)

    def delete(self, path: str) -> None:
        """Remove a file or a folder with all it holds; nothing happens where it is absent."""
        from pyarrow import fs

        with self.reaching():
            kind = self.filesystem.get_file_info(self.path(path)).type
            if kind == fs.FileType.File:
                self.filesystem.delete_file(self.path(path))
            elif kind == fs.FileType.Directory:
                self.filesystem.delete_dir(self.path(path))

    def open_input(self, path: str) -> Any:
        """A random-access file of pyarrow. Raises `FileNotFoundError`."""
        with self.reaching():
            return self.filesystem.open_input_file(self.path(path))

    def open_input_stream(self, path: str, *, decompress: bool = False) -> Any:
        """A sequential stream of pyarrow; a compressed file is unpacked on demand, by its name."""
        with self.reaching():
            # Arrow knows `.gz`, and not `.GZ`.
            packed = "gzip" if path.lower().endswith(".gz") else "detect"
            compression = packed if decompress else None
            return self.filesystem.open_input_stream(self.path(path), compression=compression)

    def file_size(self, path: str = "") -> int | None:
        """Bytes of a file; None where there is none, or a folder."""
        from pyarrow import fs

        with self.reaching():
            info = self.filesystem.get_file_info(self.path(path) if path else self.path())
        return int(info.size) if info.type == fs.FileType.File else None

    def walk(self) -> tuple[tuple[str, int], ...]:
        """Path and bytes of every file below the root, sorted; none where it is absent."""
        from pyarrow import fs

        base = self.path()
        with self.reaching():
            found = self.filesystem.get_file_info(
                fs.FileSelector(base, allow_not_found=True, recursive=True)
            )
        files = [info for info in found if info.type == fs.FileType.File]
        return tuple(sorted((f.path[len(base.rstrip("/")) + 1 :], int(f.size)) for f in files))

    def open_output(self, path: str) -> Any:
        """A pyarrow stream that replaces a file when it is closed."""
        with self.reaching():
            if not self.remote:
                Path(self.path(path)).parent.mkdir(parents=True, exist_ok=True)
            return self.filesystem.open_output_stream(
                self.path(path), compression=None, buffer_size=_BUFFERED
            )

    def take(self, local: Path, path: str) -> None:
        """Put a finished file of this machine there; it is gone from where it was."""
        if not self.remote:
            target = Path(self.path(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(local, target)
            return
        with local.open("rb") as source, self.open_output(path) as sink:
            shutil.copyfileobj(source, sink, _COPIED)
        local.unlink()

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of this machine that is gone afterwards; beside a local lake, on its disk.

        What a killed process of this machine left there is cleared away first.
        """
        parent = Path(tempfile.gettempdir()) if self.remote else Path(self.root) / SCRATCH
        parent.mkdir(parents=True, exist_ok=True)
        mine = f"lakecast-{socket.gethostname()}-"
        for left in parent.glob(f"{mine}*"):
            if not _alive(left.name.removeprefix(mine).partition("-")[0]):
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{mine}{os.getpid()}-", dir=parent) as folder:
            yield Path(folder)

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn a library's failure to reach this store into `Unreachable`."""
        try:
            yield
        except FileNotFoundError:
            raise
        except _failures() as error:
            if isinstance(error, PermissionError) or (
                self.remote and any(mark in str(error) for mark in _UNREACHABLE)
            ):
                raise self.unreachable() from None
            raise

    def unreachable(self) -> Unreachable:
        """The error that names the place and the cure, and no secret."""
        if not self.remote:
            return Unreachable(
                "may not be read or written", where=self.root, cure="check the folder's permissions"
            )
        return Unreachable(
            f"{self.endpoint} did not answer or refused",
            where=self.root,
            cure="check AWS_ENDPOINT_URL, AWS_REGION, the bucket's name and the credentials",
        )


def _alive(process: str) -> bool:
    """Whether a process of this machine runs, as far as one may know."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        return True
    return True


def _failures() -> tuple[type[Exception], ...]:
    """What the three libraries raise; evaluated only once something was raised."""
    from deltalake.exceptions import DeltaError
    from polars.exceptions import PolarsError

    return (OSError, DeltaError, PolarsError)


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
