"""Find a photo on an Instagram profile from a description.

The Python API is what the command uses: `index` and `search` run the two use cases, `Captioner` describes pictures. Everything is loaded on first use, so that
importing igsearch costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igsearch.api import index, search
    from igsearch.captioner.captioner import Captioner
    from igsearch.errors import IgsearchError
    from igsearch.indexing import IndexReport
    from igsearch.records import Description, Hit, Photo

__all__ = ["Captioner", "Description", "Hit", "IgsearchError", "IndexReport", "Photo", "__version__", "index", "search"]
__version__ = "0.1.0"

_HOMES = {
    "Captioner": "igsearch.captioner.captioner",
    "Description": "igsearch.records",
    "Hit": "igsearch.records",
    "IgsearchError": "igsearch.errors",
    "IndexReport": "igsearch.indexing",
    "Photo": "igsearch.records",
    "index": "igsearch.api",
    "search": "igsearch.api",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol of PEP 562
    """Load a public name from the module it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module 'igsearch' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
