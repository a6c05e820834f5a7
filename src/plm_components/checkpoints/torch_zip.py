"""What a ``.pth`` file is made of, read without running or allocating what it asks for.

``torch.save`` writes a zip archive: a pickle (``data.pkl``) that names tensors, and the bytes of
each storage in a record of its own (``data/0``, ``data/1``, …), uncompressed, so that they can be
memory-mapped. Everything that ``torch.load`` would have to believe is checked here first.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plm_components.errors import CheckpointError

MAX_DIRECTORY_BYTES = 16 * 2**20
MAX_PICKLE_BYTES = 8 * 2**20
_PICKLE = "data.pkl"
_END = struct.Struct("<4s4H2LH")
_LOCATOR_BYTES = 20
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True)
class TorchZip:
    """The records of a ``.pth`` file.

    Args:
        pickle: ``data.pkl``, whole.
        storages: Offset in the file -> bytes, of each storage.
    """

    pickle: bytes
    storages: Mapping[int, int]


def read_torch_zip(path: Path) -> TorchZip:
    """Reads the directory and the pickle of an archive; no weight is touched.

    Raises:
        CheckpointError: no file, no archive of ``torch.save``, or one that contradicts itself.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        raise CheckpointError(
            "There is no weights file.",
            where=str(path),
            expected="a .pth file that torch.save wrote",
            fix="check the path",
        ) from None
    except (OSError, zipfile.BadZipFile, ValueError, struct.error, NotImplementedError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise unreadable(path, str(error)) from error


def unreadable(path: Path, reason: str) -> CheckpointError:
    """The error of a file that is damaged, or no ``.pth`` file."""
    return CheckpointError(
        f"The weights file cannot be read: {reason.strip().rstrip('.')}.",
        where=str(path),
        expected="a whole .pth file that torch.save wrote",
        fix="copy it again from where it came; it is truncated, damaged, or of another format",
    )


def _read(path: Path) -> TorchZip:
    _require_zip(path)
    _check_end(path)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        records = _records(infos, path.stat().st_size)
        if _PICKLE not in records:
            raise ValueError(f"it has no {_PICKLE}")
        if "constants.pkl" in records:
            raise ValueError("it is a TorchScript program, which holds code")
        if records[_PICKLE].file_size > MAX_PICKLE_BYTES:
            raise ValueError(f"its {_PICKLE} is larger than {MAX_PICKLE_BYTES:,} bytes")
        _check_byte_order(archive, records)
        # zipfile compares the checksum of what it reads
        pickle = archive.read(records[_PICKLE])
    return TorchZip(pickle, _storages(path, records))


def _require_zip(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == b"PK\3\4":
        return
    if start[:1] == b"\x80":
        raise CheckpointError(
            "This .pth file has the format of torch before 1.6, which cannot be memory-mapped.",
            where=str(path),
            expected="a .pth file as torch.save has written it since 1.6",
            fix="write it again: torch.save(torch.load(path, weights_only=True), new_path)",
        )
    raise ValueError("it is no zip archive" if start else "it is empty")


def _check_end(path: Path) -> None:
    """The end of the archive says where its directory lies, as every reader understands it.

    Two readers that find different directories in one file would check one and load the other.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _END.size - _LOCATOR_BYTES - _END_64.size))
        tail = stream.read()
    signature, _, _, _, _, length, offset, comment = _END.unpack(tail[-_END.size :])
    if signature != b"PK\5\6" or comment:
        raise ValueError("the end of the archive is missing")
    end = size - _END.size
    if tail[-_END.size - _LOCATOR_BYTES :].startswith(b"PK\6\7"):
        fields = _END_64.unpack(tail[: _END_64.size])
        if fields[0] != b"PK\6\6":
            raise ValueError("the end of the archive is missing")
        length, offset = fields[-2:]
        end -= _LOCATOR_BYTES + _END_64.size
    if offset + length != end:
        raise ValueError("its directory is not where the end of the archive says")
    if length > MAX_DIRECTORY_BYTES:
        raise ValueError(f"its directory is larger than {MAX_DIRECTORY_BYTES:,} bytes")


def _records(infos: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """Records by name within the archive's one folder; names that differ in case are the same."""
    folders = {info.filename.partition("/")[0] for info in infos}
    records = {info.filename.partition("/")[2]: info for info in infos}
    if len(folders) != 1 or len({name.lower() for name in records}) != len(infos):
        raise ValueError("its records are not one folder of distinct names")
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ValueError(f"{info.filename} is compressed")
        if info.header_offset + info.file_size > size:
            raise ValueError(f"{info.filename} ends outside the file")
    return records


def _check_byte_order(archive: zipfile.ZipFile, records: Mapping[str, zipfile.ZipInfo]) -> None:
    # torch would read and turn every byte of a file of the other order
    info = records.get("byteorder")
    if info is not None and (info.file_size > 6 or archive.read(info) != b"little"):
        raise ValueError("its bytes are not in little-endian order")


def _storages(path: Path, records: Mapping[str, zipfile.ZipInfo]) -> dict[int, int]:
    storages = {}
    with path.open("rb") as stream:
        for name, info in records.items():
            if name.startswith("data/"):
                stream.seek(info.header_offset)
                header = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
                # the name and an extra field stand between the header and the bytes
                start = info.header_offset + _LOCAL_HEADER.size + header[-2] + header[-1]
                storages[start] = info.file_size
    return storages
