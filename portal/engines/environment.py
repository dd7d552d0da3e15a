"""The secrets and addresses of an embedded farm, kept in one file.

Made once, read by every process through `portal.settings.base`; a value that the
real environment gives is left to it.
"""

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet

from portal.engines import ports


def load(home: Path) -> dict[str, str]:
    """Read the file of the farm in `home`; empty when there is none."""
    file = home / "env"
    if not file.exists():
        return {}
    lines = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in lines}


def save(home: Path, values: dict[str, str]) -> None:
    """Replace the file, readable by its owner alone, in one step."""
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / ".env.new"
    fresh.touch(mode=0o600)
    fresh.write_text("".join(f"{name}={value}\n" for name, value in sorted(values.items())))
    fresh.rename(home / "env")


def complete(home: Path) -> dict[str, str]:
    """Add what is missing of secrets, and free ports; returns the whole.

    Only for a farm that is down: a port in use then is somebody else's and is given up.
    """
    values = {**_fresh_secrets(), **load(home)}
    for name in ("POSTGRES_PORT", "SANDBOX_PORT"):
        if name not in values or not ports.is_free(int(values[name])):
            values[name] = str(ports.free_port())
    save(home, values)
    return values


def uses_embedded_database() -> bool:
    """Whether no database was given from outside."""
    return "DATABASE_URL" not in os.environ


def _fresh_secrets() -> dict[str, str]:
    return {
        "FARM_ID": secrets.token_hex(8),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "FARM_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "POSTGRES_OWNER_PASSWORD": secrets.token_hex(16),
        "POSTGRES_APP_PASSWORD": secrets.token_hex(16),
    }
