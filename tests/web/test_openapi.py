"""The server does what openapi.json says: schemathesis asks what the document allows, and what it does not, and compares the answers with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import BaseSchema, Case, GenerationMode

from igsearch.output import formats
from igsearch.web.api import OPENAPI
from igsearch.web.app import create_app
from igsearch.web.parameters import DEFAULT_N, MAX_N, MAX_OFFSET, MAX_QUERY_CHARS
from igsearch.web.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = json.loads(OPENAPI.read_text(encoding="utf-8"))
PARAMETERS = {one["name"]: one["schema"] for one in DOCUMENT["paths"]["/api/v2/search"]["get"]["parameters"]}


@pytest.fixture(scope="session")
def described_api(shelves: Path) -> BaseSchema:
    """The application, with the document that it serves of itself."""
    return schemathesis.openapi.from_wsgi("/openapi.json", create_app(Settings(shelves)))


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_every_route_is_as_described(described_api: BaseSchema, path: str, mode: GenerationMode) -> None:
    """Statuses, types and bodies; what the document forbids is refused, and what it allows is not."""
    operation = described_api[path]["GET"]

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate()

    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.path_parameters):
        pytest.skip("nothing can be asked wrongly")
    ask()


@pytest.mark.parametrize(
    ("path", "of", "asked"),
    [
        ("/api/v2/search", {}, {"q": "dog"}),
        ("/api/v1/search", {}, {"str": "dog", "name": "natgeo"}),
        *((f"/api/v2/{kind}/{{profile}}/{{id}}", {"profile": "holiday", "id": "media/coffee.jpg"}, {}) for kind in ("photos", "thumbnails", "pictures")),
        ("/api/v2/photos/{profile}/{id}", {"profile": "natgeo", "id": "Cfrisbee"}, {}),
    ],
)
def test_what_is_there_is_as_described(described_api: BaseSchema, path: str, of: dict[str, str], asked: dict[str, str]) -> None:
    """The answers that chance does not meet: those with photos in them."""
    answer = described_api[path]["GET"].Case(path_parameters=of, query=asked).call_and_validate()
    assert answer.status_code == 200


def test_the_document_lists_the_routes_that_there_are(shelves: Path) -> None:
    """No more and no fewer; the page's own are not for programs."""
    rules = {str(rule).replace("<profile>", "{profile}").replace("<photo:photo_id>", "{id}") for rule in create_app(Settings(shelves)).url_map.iter_rules()}
    assert set(DOCUMENT["paths"]) == rules - {"/", "/static/<path:name>"}


def test_the_document_knows_the_bounds_and_the_records() -> None:
    """The numbers and names of the code."""
    assert PARAMETERS["n"] == {"type": "integer", "minimum": 1, "maximum": MAX_N, "default": DEFAULT_N}
    assert (PARAMETERS["offset"]["maximum"], PARAMETERS["q"]["maxLength"]) == (MAX_OFFSET, MAX_QUERY_CHARS)
    assert set(DOCUMENT["components"]["schemas"]["Hit"]["required"]) == {*formats.HIT_FIELDS, "picture"}
