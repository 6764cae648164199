"""The contract of the 2021 prototype: `[score, url, text]` rows for its React page, which puts the url into an <img> and the text into its title."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from igsearch.output import formats
from igsearch.searching import Query
from igsearch.web.photos import picture_address, thumbnail_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from igsearch.records import Hit

N_ROWS = 100


def question(text: str) -> Query:
    """What the prototype looked for: the best hundred."""
    return Query(text, n=N_ROWS)


def rows(hits: Sequence[Hit], base: str) -> str:
    """The hits as a JSON array; `base` is this server's address, since the page that shows the pictures may come from elsewhere."""
    return formats.to_json([[hit.score, _shown_at(hit, base), _text(hit)] for hit in hits])


def _shown_at(hit: Hit, base: str) -> str:
    """Our own thumbnail wherever there is one: Instagram's addresses expire, and its servers refuse to be shown on other people's pages."""
    address = thumbnail_address(hit) or picture_address(hit.profile, hit.photo)
    return urljoin(base, address) if address else formats.address(hit.photo)


def _text(hit: Hit) -> str:
    """The caption, and behind it the objects found."""
    return " ".join([hit.description.caption, *(one.name for one in hit.description.objects or ())])
