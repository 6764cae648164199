"""Files that `torch.save` wrote, in its zip format and in the one before torch 1.6, read without running anything that they hold.

A pickle is a program: it names functions and has them called. Here every name becomes an inert class made on the spot, which keeps what it was given and does
nothing; not even torch's own functions are called. What the file says of tensors is read from those notes afterwards, and checked against the bytes that are
really there.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from igsearch.errors import CheckpointError

ZIP_START, PICKLE_START = b"PK\x03\x04", b"\x80\x02"
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""The first two pickles of a file in the old format (torch/serialization.py)."""

MAX_PICKLE_BYTES = 64 * 2**20
"""What is not tensors. A checkpoint of the tutorial has less than one MB of it, the source code of its classes included."""
MAX_OPCODES = 2_000_000
MAX_TUPLES = 50_000
"""The interpreter dies of the hash of tuples nested 200,000 deep; a fine-tuned ResNet-101 has 7,000 tuples."""
MAX_CLASSES = 500
MAX_DEPTH = 32
"""Modules in modules."""

DTYPES = {"FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16, "DoubleStorage": torch.float64}
OTHER_ITEM_BYTES = {"LongStorage": 8, "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1}
TENSORS = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
PARAMETERS = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter"}

MALFORMED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What pickle, pickletools and zipfile raise over files that are not what they should be."""


class Inert:
    """What a pickle asked for: the dotted name, the arguments, the state that was set, and the items."""

    qualified = ""
    arguments: tuple[Any, ...]
    state: Any
    held: dict[Any, Any]

    def __new__(cls, *arguments: Any, **_: Any) -> Inert:  # noqa: ANN401 - whatever the file says
        """Note the arguments."""
        one = super().__new__(cls)
        one.arguments, one.state, one.held = arguments, None, {}
        return one

    def __setstate__(self, state: Any) -> None:  # noqa: ANN401 - whatever the file says
        """Note the state."""
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401 - whatever the file says
        """Note an item."""
        self.held[key] = value


class Storage(NamedTuple):
    """A run of numbers in the file, named by `key`: `n` of them, of the type `kind` (such as FloatStorage), from the `offset`-th on."""

    key: str
    kind: str
    n: int
    offset: int = 0


class TensorNote(NamedTuple):
    """What a file says of a tensor; nothing of it was checked against the bytes yet."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class InertUnpickler(pickle.Unpickler):
    """Builds containers, text, numbers and `Inert` notes, nothing else."""

    def __init__(self, file: io.BytesIO) -> None:
        """Read from `file`, which `check_program` has passed."""
        super().__init__(file, encoding="latin1")  # so that no text of Python 2 fails to decode
        self.storages: dict[str, Storage] = {}
        self._classes: dict[tuple[str, str], type[Inert]] = {}

    def find_class(self, module_name: str, global_name: str, /) -> type[Inert]:
        """A class of its own for every name; nothing is imported."""
        if len(self._classes) >= MAX_CLASSES:
            raise pickle.UnpicklingError("too many classes")
        return self._classes.setdefault((module_name, global_name), type("Inert", (Inert,), {"qualified": f"{module_name}.{global_name}"}))

    def persistent_load(self, pid: Any) -> Storage | type[Inert]:  # noqa: ANN401 - whatever the file says
        """Torch's marks for what lies outside the pickle: numbers, and in old files the source code of a class, which is ignored."""
        match pid:
            case ("module", type() as of, *_) if issubclass(of, Inert):
                return of
            case ("storage", type() as kind, str(key), _, int(n), *view) if issubclass(kind, Inert) and n >= 0:
                root = self.storages.setdefault(key, Storage(key, kind.qualified.rpartition(".")[2], n))
                match view:
                    case [[_, int(offset), int(size)]] if 0 <= offset <= root.n - size <= root.n:
                        return root._replace(offset=offset, n=size)
                return root
        raise pickle.UnpicklingError("an unknown reference")


def check_program(file: io.BytesIO) -> None:
    """Pass over one pickle without building anything. Raises UnpicklingError where building it would exhaust or crash the interpreter."""
    start, n_tuples = file.tell(), 0
    for n_opcodes, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        n_tuples += opcode.name.startswith("TUPLE")
        # The C implementation makes room for as many remembered objects as one of these claims.
        oversized = opcode.name in {"PUT", "BINPUT", "LONG_BINPUT"} and isinstance(argument, int) and argument > MAX_OPCODES
        if n_opcodes > MAX_OPCODES or n_tuples > MAX_TUPLES or oversized:
            raise pickle.UnpicklingError("more than a checkpoint has")
    file.seek(start)


def unpickled(file: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """The next pickle of `file` as notes, and the storages it refers to."""
    check_program(file)
    unpickler = InertUnpickler(file)
    return unpickler.load(), unpickler.storages


@dataclass(frozen=True, slots=True)
class TorchFile:
    """A file whose structure was read and whose numbers are still on disk: `root` is what was saved, as notes; `places` say where each storage's bytes are."""

    path: Path
    root: Any
    places: Mapping[str, tuple[int, int]] = field(repr=False)

    def tensor(self, note: TensorNote) -> Tensor:
        """The numbers of a tensor, as float32. Raises CheckpointError if they are not all there, or are no floating-point numbers."""
        storage, dtype = note.storage, DTYPES.get(note.storage.kind)
        n_last = note.offset + sum((size - 1) * step for size, step in zip(note.shape, note.stride, strict=True))
        place, n_bytes = self.places.get(storage.key, (0, 0))
        if dtype is None or min(note.shape, default=1) < 1 or n_last >= storage.n or math.prod(note.shape) > storage.n:
            raise self.damaged("a tensor in it does not fit its own numbers")
        if (storage.offset + storage.n) * dtype.itemsize > n_bytes:
            raise self.damaged("it ends before its numbers do")
        try:
            with self.path.open("rb") as file:
                file.seek(place + storage.offset * dtype.itemsize)
                data = bytearray(file.read(storage.n * dtype.itemsize))
            return torch.frombuffer(data, dtype=dtype).as_strided(note.shape, note.stride, note.offset).to(torch.float32).contiguous()
        except (OSError, ValueError, RuntimeError) as err:
            raise self.damaged("its numbers cannot be read") from err

    def damaged(self, why: str) -> CheckpointError:
        """The error that says so of this file."""
        return CheckpointError(f"{str(self.path)!r} is not a whole checkpoint: {why}; get it anew")


def read(path: Path) -> TorchFile:
    """The structure of a file of `torch.save`. Raises CheckpointError if it is damaged, hostile, or something else."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            if start == ZIP_START:
                return _read_zip(path, file)
            if start.startswith(PICKLE_START):
                return _read_legacy(path, file)
    except MALFORMED as err:
        raise CheckpointError(f"{str(path)!r} is not a checkpoint that igsearch can read, or it is damaged: get it anew") from err
    raise CheckpointError(f"{str(path)!r} is not a file that torch.save wrote{', but a web page' if start.lstrip().startswith(b'<') else ''}: get it anew")


def _read_zip(path: Path, file: io.BufferedReader) -> TorchFile:
    """The format since torch 1.6: `NAME/data.pkl`, and each storage uncompressed in `NAME/data/KEY`."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        pickled = members["data.pkl"]
        if pickled.file_size > MAX_PICKLE_BYTES:
            raise pickle.UnpicklingError("more than a checkpoint has")
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()) or archive.testzip():
            raise zipfile.BadZipFile("not what torch wrote")
        if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
            raise CheckpointError(f"{str(path)!r} was written on a big-endian machine, which igsearch does not read")
        root, storages = unpickled(io.BytesIO(archive.read(pickled)))
    places = {key: _zip_place(file, members[f"data/{key}"]) for key in storages if f"data/{key}" in members}
    return TorchFile(path, root, places)


def _zip_place(file: io.BufferedReader, info: zipfile.ZipInfo) -> tuple[int, int]:
    """Where a stored member's bytes begin, and how many of them the file really has."""
    file.seek(info.header_offset)
    header = file.read(30)  # APPNOTE.TXT 4.3.7; the names' and extras' lengths are its last two fields
    place = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:]))
    return place, min(info.file_size, max(0, file.seek(0, io.SEEK_END) - place))


def _read_legacy(path: Path, file: io.BufferedReader) -> TorchFile:
    """The format before: five pickles (magic number, protocol, the machine, what was saved, the storages' keys), then each storage's length and numbers."""
    head = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    magic, protocol, machine = (unpickled(head)[0] for _ in range(3))
    if (magic, protocol) != (LEGACY_MAGIC, LEGACY_PROTOCOL) or not machine["little_endian"]:
        raise pickle.UnpicklingError("another format")
    root, storages = unpickled(head)
    keys, _ = unpickled(head)
    return TorchFile(path, root, dict(_legacy_places(file, head.tell(), keys, storages)))


def _legacy_places(file: io.BufferedReader, position: int, keys: Iterable[str], storages: Mapping[str, Storage]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each storage's key with where its bytes begin and how many the file has of them."""
    size = file.seek(0, io.SEEK_END)
    for key in keys:
        kind = storages[key].kind
        item_bytes = DTYPES[kind].itemsize if kind in DTYPES else OTHER_ITEM_BYTES[kind]
        file.seek(position)
        (n,) = struct.unpack("<q", file.read(8))
        position += 8
        yield key, (position, max(0, min(n * item_bytes, size - position)))
        position += max(0, n) * item_bytes


def tensor_note(value: object) -> TensorNote | None:
    """What `value` says of a tensor, if it is the note of one."""
    while isinstance(value, Inert) and value.qualified in PARAMETERS and value.arguments:
        value = value.arguments[0]
    if isinstance(value, Inert) and value.qualified in TENSORS:
        match [one.arguments[0] if isinstance(one, Inert) and one.arguments else one for one in value.arguments[:4]]:
            case [Storage() as storage, int(offset), tuple(shape), tuple(stride)]:
                if len(shape) == len(stride) <= 8 and all(type(n) is int and n >= 0 for n in (offset, *shape, *stride)):
                    return TensorNote(storage, offset, shape, stride)
    return None


def named_tensors(value: object) -> dict[str, TensorNote]:
    """The tensors of a saved module, or of a state dict, by their dotted names. Empty if `value` is neither."""
    found = dict(_module_tensors(value, "", set()))
    return found or {name: note for name, one in items(value) if isinstance(name, str) and (note := tensor_note(one))}


def attribute(value: object, name: str) -> object:
    """An attribute of a saved object; None if it has none of that name."""
    return dict(items(value.state)).get(name) if isinstance(value, Inert) else None


def items(value: object) -> Iterable[tuple[Any, Any]]:
    """What a dictionary, or the note of an ordered one, holds; nothing of anything else."""
    held = value.held if isinstance(value, Inert) else value
    return held.items() if isinstance(held, dict) else ()


def _module_tensors(value: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, TensorNote]]:
    """Each module's tensors once, whatever refers to it how often: a small file could name one module in more ways than there is memory."""
    seen.add(id(value))
    for group in ("_parameters", "_buffers"):
        for name, one in items(attribute(value, group)):
            if note := tensor_note(one):
                yield f"{prefix}{name}", note
    for name, module in items(attribute(value, "_modules")):
        if id(module) not in seen and prefix.count(".") < MAX_DEPTH:
            yield from _module_tensors(module, f"{prefix}{name}.", seen)
