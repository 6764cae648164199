"""What the tests of Instagram share: a way to it, and somebody who is logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import instaloader
import pytest
from instaloader.instaloader import get_default_session_filename

from tests.fake_instagram import FakeInstagram, FakeProfile, Fault

COOKIES = {"sessionid": "alice-is-here", "csrftoken": "token", "ds_user_id": "42"}

Serve = Callable[..., FakeInstagram]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a fake Instagram with some profiles and lead this process to it."""
    with ExitStack() as stack:

        def start(*profiles: FakeProfile, faults: tuple[Fault, ...] = ()) -> FakeInstagram:
            instagram = stack.enter_context(FakeInstagram(profiles, sessions={"alice": COOKIES["sessionid"]}, faults=faults))
            for name, value in instagram.env().items():
                monkeypatch.setenv(name, value)
            return instagram

        yield start


@pytest.fixture
def alice() -> Path:
    """The file in which instaloader saved the session of a user named alice."""
    with instaloader.Instaloader(quiet=True) as loader:
        loader.load_session("alice", COOKIES)
        loader.save_session_to_file()
    return Path(get_default_session_filename("alice"))
