"""A cache directory with two profiles, and the application that serves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from igsearch.web.app import create_app
from igsearch.web.settings import Settings
from tests.web import shelf

if TYPE_CHECKING:
    from flask.testing import FlaskClient


@pytest.fixture(scope="session")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profiles `natgeo` and `holiday`; not to be changed."""
    cache = tmp_path_factory.mktemp("shelves")
    shelf.put(cache, "natgeo", shelf.natgeo())
    shelf.put(cache, "holiday", shelf.holiday(tmp_path_factory.mktemp("holiday")))
    return cache


@pytest.fixture(scope="session")
def client(shelves: Path) -> FlaskClient:
    """Asks the server of `shelves`, without a network."""
    return create_app(Settings(shelves)).test_client()
