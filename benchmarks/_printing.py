"""The one line each bench prints."""

import json
from typing import Any


def print_result(bench: str, *, value: float, unit: str, target: float, **detail: Any) -> None:
    """Print name, value, unit, target and what else is worth knowing, as one JSON line."""
    line = {"bench": bench, "value": round(value, 3), "unit": unit, "target": target}
    print(json.dumps({**line, "detail": detail}), flush=True)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)]
