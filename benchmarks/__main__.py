"""Run every bench, or the one that is named.

Each module of this package that has `BENCHES` offers some: a name and a function
that measures and prints one JSON line.
"""

import importlib
import pkgutil
import sys
from collections.abc import Callable

import benchmarks


def offered() -> dict[str, Callable[[], None]]:
    """All benches by name."""
    found: dict[str, Callable[[], None]] = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            imported = importlib.import_module(f"benchmarks.{module.name}")
            found |= getattr(imported, "BENCHES", {})
    return found


def main(names: list[str]) -> None:
    """Run the named benches, or all."""
    benches = offered()
    unknown = set(names) - set(benches)
    if unknown:
        sys.exit(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(benches)}")
    for name in names or benches:
        benches[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
