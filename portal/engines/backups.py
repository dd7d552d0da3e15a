"""Write the whole database into a folder, and read it back in.

`pg_dump` and `psql` do the work, with the programs of the wheel.  A restore is one
transaction: it happens or it does not, and whatever comes up afterwards finds every cluster
held, for the clusters know more than a backup does.  The secrets of the farm's `env` are not
in a backup; without the key that sealed them, credentials of clusters cannot be read again,
so a backup names the key by its fingerprint.
"""

import hashlib
import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from portal.engines import postgres

DUMP: Final = "farm.dump"
ABOUT: Final = "about.json"
_NOT_OURS: Final = (" EXTENSION ", " SCHEMA - public", "DEFAULT ACL")

# The owner owns everything here but the extension's objects, which stay.
_CLEAR: Final = """
SET client_min_messages TO warning;
DO $$
DECLARE what record;
BEGIN
    FOR what IN SELECT format('DROP TABLE IF EXISTS %s CASCADE', oid::regclass) AS statement
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    LOOP EXECUTE what.statement; END LOOP;
    FOR what IN SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', p.oid::regprocedure)
                       AS statement
        FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
            SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP EXECUTE what.statement; END LOOP;
    FOR what IN SELECT format('DROP SEQUENCE IF EXISTS %s CASCADE', oid::regclass) AS statement
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    LOOP EXECUTE what.statement; END LOOP;
END $$;
"""
# What the dump begins with leaves no schema to look in.
_HOLD: Final = """
SET search_path TO public;
INSERT INTO provisioning_hold (cluster_id, cause, known_until, found_at, released_by)
SELECT c.id, 'restored', m.checked_at, now(), ''
  FROM provisioning_cluster c LEFT JOIN provisioning_clustermark m ON m.cluster_id = c.id
 WHERE c.state <> 'removed'
   AND NOT EXISTS (SELECT FROM provisioning_hold h
                    WHERE h.cluster_id = c.id AND h.released_at IS NULL);
"""


class BackupRefused(Exception):
    """This backup cannot be taken or read back; the text says why."""


@dataclass(frozen=True)
class About:
    """What a backup says of itself."""

    made_at: str
    installation: str
    key_fingerprint: str
    sha256: str


def write(*, folder: Path, url: str, installation: str, key: str, made_at: datetime) -> About:
    """Dump the database of `url` into a new folder, complete or not at all."""
    if folder.exists():
        raise BackupRefused(f"{folder} exists already.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
        fresh = Path(work) / "backup"
        fresh.mkdir(mode=0o700)
        dump = fresh / DUMP
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={dump}")
        _run("pg_dump", *options, url=url)
        about = About(made_at.isoformat(), installation, fingerprint(key), _digest(dump))
        (fresh / ABOUT).write_text(json.dumps(asdict(about), indent=1) + "\n")
        fresh.rename(folder)
    return about


def read_about(folder: Path) -> About:
    """Read what a backup says of itself, and check that its dump is whole."""
    try:
        about = About(**json.loads((folder / ABOUT).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BackupRefused(f"{folder} is no backup: {error}") from error
    if not (folder / DUMP).exists() or _digest(folder / DUMP) != about.sha256:
        raise BackupRefused(f"{folder / DUMP} is not what {ABOUT} says: it is damaged.")
    return about


def read_back(*, folder: Path, url: str) -> None:
    """Replace everything in the database of `url`, in one transaction, and hold all clusters."""
    with tempfile.TemporaryDirectory() as work:
        contents, clear, fill, hold = (Path(work) / name for name in ("list", "1", "2", "3"))
        listed = _run("pg_restore", "--list", str(folder / DUMP)).decode().splitlines()
        ours = (line for line in listed if not any(word in line for word in _NOT_OURS))
        contents.write_text("\n".join(ours) + "\n")
        # As a whole first: of a script that breaks off psql would keep the first half.
        _run(
            "pg_restore",
            *("--no-owner", "--no-privileges", f"--use-list={contents}", f"--file={fill}"),
            str(folder / DUMP),
        )
        clear.write_text(_CLEAR)
        hold.write_text(_HOLD)
        options = ("--single-transaction", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1")
        files = (f"--file={file}" for file in (clear, fill, hold))
        _run("psql", *options, *files, url=url)


def fingerprint(key: str) -> str:
    """Name a key without telling it."""
    return hashlib.sha256(f"npu-farm/{key}".encode()).hexdigest()[:16]


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _run(name: str, *arguments: str, url: str = "") -> bytes:
    done = subprocess.run(
        [*postgres.program(name), *arguments],
        env={**os.environ, **_address(url)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupRefused(f"{name}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _address(url: str) -> dict[str, str]:
    if not url:
        return {}
    parts = urlsplit(url)
    # In the environment and not on the command line, which others on the machine can read.
    return {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
    }
