"""The session that `instaloader --login` saves: a pickle of cookies, read without running anything in it."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from igsearch.errors import LoginRequiredError
from igsearch.sources.browser_cookies import can_be_sent
from igsearch.sources.instagram_connection import UNEXPECTED

if TYPE_CHECKING:
    from igsearch.sources.instagram_refusals import Login

MAX_SESSION_BYTES = 2**20
"""A saved session is a dozen cookies, about 1 KB."""


class _CookiesOnly(pickle.Unpickler):
    """Builds dictionaries, texts and the like; looks up no class and no function, and so runs nothing."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"{module}.{name} is not a cookie")


def saved_session(path: Path, login: Login) -> dict[str, str]:
    """The cookies of somebody's session. Raises LoginRequiredError if there is none, or if the file holds anything else."""
    try:
        with path.open("rb") as file:
            return _cookies(file)
    except FileNotFoundError as err:
        raise LoginRequiredError(f"no session of {login.who!r} is saved on this machine: {login.renew}") from err
    except OSError as err:
        raise LoginRequiredError(f"the saved session {str(path)!r} cannot be read ({err.strerror}): {login.renew}") from err
    except (pickle.UnpicklingError, EOFError, MemoryError, *UNEXPECTED) as err:
        raise LoginRequiredError(f"{str(path)!r} is not a session that instaloader saved: delete it, then {login.renew}") from err


def _cookies(file: BinaryIO) -> dict[str, str]:
    cookies = _CookiesOnly(io.BytesIO(file.read(MAX_SESSION_BYTES))).load()
    if not isinstance(cookies, Mapping) or not all(isinstance(text, str) and can_be_sent(text) for item in cookies.items() for text in item):
        raise ValueError("not cookies")
    if not cookies.get("sessionid") or "csrftoken" not in cookies:
        raise ValueError("not the cookies of somebody logged in")
    return dict(cookies)
