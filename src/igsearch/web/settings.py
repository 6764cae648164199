"""What a server is told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Which profiles (none means all), where it listens, the token it asks for, and whether pages of other origins may read the seed's two routes."""

    cache: Path
    profiles: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    token: str | None = None
    cors: bool = True
