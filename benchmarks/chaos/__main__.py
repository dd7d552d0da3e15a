"""`python -m benchmarks.chaos`: break a farm for minutes; exit 1 when it did not come right."""

import argparse
import sys

from benchmarks.chaos.running import Options, chaos


def main() -> int:
    """Run with the options given; 0 when nothing is unexplained and the farm has settled."""
    asked = _parser().parse_args()
    outcome = chaos(
        Options(instances=asked.instances, minutes=asked.minutes, seed=asked.seed, keep=asked.keep)
    )
    is_right = not outcome.verdict.total and not outcome.quarantined
    return 0 if is_right and outcome.settled_after is not None else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--instances", type=int, default=300, help="at once")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="the farm's folder, for its logs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
