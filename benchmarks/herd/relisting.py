"""A full list in which nothing is new, against the mere reading of the same JSON."""

import json
import os
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

from django.utils import timezone

from benchmarks._printing import print_result
from benchmarks.herd.raising import Herd
from provisioning import installation, relisting
from provisioning.cluster import asking, requests

ROUNDS = 5
TARGET = 2.0


def measure(herd: Herd) -> None:
    """Alternate the two on the same pods; the median of their ratios counts."""
    pages = _pages(herd)
    pairs = [_one_round(herd, pages) for _ in range(ROUNDS + 1)][1:]
    relists, loads = zip(*pairs, strict=True)
    ratios = [relist / load for relist, load in pairs]
    print_result(
        "relist_ratio",
        value=statistics.median(ratios),
        unit="ratio",
        target=TARGET,
        pods=len(herd.attempts),
        relist_s=round(statistics.median(relists), 3),
        json_loads_s=round(statistics.median(loads), 3),
        megabytes=round(sum(map(len, pages)) / 1e6, 1),
        ratios=[round(one, 2) for one in ratios],
        load=[round(one, 1) for one in os.getloadavg()],
    )


def _pages(herd: Herd) -> list[bytes]:
    """The bytes a relist reads."""
    pages: list[bytes] = []
    ask_text = requests.ask_text

    def kept(*asked: object) -> bytes:
        pages.append(ask_text(*asked))  # type: ignore[arg-type]
        return pages[-1]

    with patch.object(requests, "ask_text", kept):
        list(asking.list_pods(herd.cluster, selector=installation.current().selector))
    return pages


def _one_round(herd: Herd, pages: list[bytes]) -> tuple[float, float]:
    def load() -> None:
        for page in pages:
            json.loads(page)

    return _timed(lambda: relisting.relist(herd.cluster, clock=timezone.now)), _timed(load)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
