"""The weights that torchvision publishes: taken from torch's own cache, fetched into it, or read from a file of the user's; checked before they are read."""

from __future__ import annotations

import errno
import pickle
import re
import sys
import warnings
from difflib import get_close_matches
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn
from torchvision import models

from igsearch.captioner.checkpoint import sha256
from igsearch.errors import CacheError, CheckpointError, OfflineError, UsageError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from torchvision.models import WeightsEnum

HASH_IN_NAME = re.compile(r"-([0-9a-f]{8})\.pth\Z")
"""torchvision's files end in the first 8 hexadecimal digits of their SHA-256."""

MAX_LISTED = 12
"""Of longer lists of networks the nearest names are enough."""

OLDER_FILES = {"alexnet-owt-7be5be79.pth": "alexnet-owt-4df8aa71.pth"}
"""Files of torchvision 0.9 and older that hold the same network, by the name of today's."""

UNREADABLE = (OSError, EOFError, MemoryError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, pickle.UnpicklingError)
"""What torch.load lets escape on files that are cut, damaged, or of another kind."""


def choose(given: str, *, option: str, module: ModuleType) -> tuple[WeightsEnum, str, Path]:
    """The published weights that `given`, NAME or NAME=FILE, speaks of, the network's name, and the file to read: FILE, or the published one.

    NAME is a network of the torchvision `module`. Raises UsageError, and what `published` raises.
    """
    name, _, own = given.partition("=")
    known = models.list_models(module=module)
    if name not in known:
        offered = known if len(known) <= MAX_LISTED else get_close_matches(name, known, n=3, cutoff=0.0)
        raise UsageError(f"{option} {name!r} is no network of torchvision's for this: use {', '.join(offered)}")
    weights = models.get_model_weights(name).DEFAULT
    if not own:
        return weights, name, published(weights.url)
    if not Path(own).is_file():
        raise UsageError(f"{option} {given!r}: there is no file {own!r}")
    return weights, name, Path(own)


def published(url: str) -> Path:
    """The file published at `url`, from torch's cache (TORCH_HOME), fetched if it is not there.

    Raises CheckpointError if the file there is damaged, OfflineError if it cannot be fetched, CacheError if it cannot be kept.
    """
    folder, name = Path(torch.hub.get_dir()) / "checkpoints", Path(urlsplit(url).path).name
    for candidate in filter(None, (name, OLDER_FILES.get(name))):
        if (folder / candidate).exists():
            return verified(folder / candidate)
    return fetched(url, folder / name)


def verified(path: Path) -> Path:
    """`path`, if its SHA-256 begins as its name says. Raises CheckpointError."""
    expected = hash_in(path.name)
    if not sha256(path).startswith(expected):
        raise CheckpointError(f"{path} is damaged: its SHA-256 does not begin with {expected}; delete it, and it is fetched again")
    return path


def fetched(url: str, path: Path) -> Path:
    """Download to `path`, which appears whole and with the right sum or not at all. Raises OfflineError or CacheError."""
    by_hand = f"try again, or fetch {url} elsewhere and put it into {path.parent}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=hash_in(path.name), progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as err:
        if isinstance(err, OSError) and err.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST}:
            raise CacheError(f"cannot keep {path}: {err.strerror}; make room there, or point TORCH_HOME elsewhere") from err
        raise OfflineError(f"cannot fetch {path.name}: {getattr(err, 'reason', None) or first_line(err)}; {by_hand}") from err
    return path


def hash_in(name: str) -> str:
    """The 8 hexadecimal digits in a published file's name. Raises CheckpointError if there are none."""
    found = HASH_IN_NAME.search(name)
    if found is None:
        raise CheckpointError(f"{name} does not carry its SHA-256 in its name, so it cannot be checked")
    return found[1]


def load_into(network: nn.Module, path: Path) -> str:
    """Give `network` the weights in `path`, only tensors and containers being built from it, and return the first 8 digits of its SHA-256.

    Raises CheckpointError if the file is no state dict, or one of another network.
    """
    digest = sha256(path)[:8]
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's doubts about a file end in an error or in nothing
            state = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as err:
        raise CheckpointError(f"{path} is not a file of weights that can be read safely: {first_line(err)}") from err
    if not isinstance(state, dict) or not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
        raise CheckpointError(f"{path} holds something other than a state dict of tensors: save the network's state_dict() alone")
    try:
        network.load_state_dict(state)
    except RuntimeError as err:
        raise CheckpointError(f"{path} holds the weights of another network than {type(network).__name__}: its names or shapes differ") from err
    if not all_finite(network.parameters()):
        raise CheckpointError(f"{path} holds weights that are not numbers: it is damaged")
    return digest


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no value is infinite or NaN."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
