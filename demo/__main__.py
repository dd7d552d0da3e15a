"""Bring the farm up, do the main job in front of the reader, keep serving.

python -m demo [--exit] [--port N] [--run-for SECONDS] [--kubeconfig FILE] [--image REFERENCE]
"""

import argparse
import json
import signal
import sys

from demo.client import Person, Refused
from demo.serving import HOME, DidNotStart, Farm, free_port
from demo.story import Story


def main() -> int:
    """Run the demo; 0 when the story came to its end."""
    asked = _parser().parse_args()
    options = []
    if asked.kubeconfig:
        options += ["--kubeconfig", asked.kubeconfig]
    if asked.image:
        options += ["--image", asked.image]
    try:
        farm = Farm(options=options, port=asked.port or free_port(8000))
    except DidNotStart as error:
        print(f"The farm did not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped before the farm was up.", flush=True)
        return 1
    outcome = None
    try:
        outcome = _tell(farm, asked)
        if not asked.exit:
            _keep_serving(farm)
    except KeyboardInterrupt:
        pass
    finally:
        # Stopping takes seconds; a second Ctrl-C must neither break it off nor lose the figures.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("\nStopping the farm.", flush=True)
        farm.stop()
    if asked.exit and outcome:
        print(json.dumps(outcome, ensure_ascii=False), flush=True)
    return 0 if outcome else 1


def _keep_serving(farm: Farm) -> None:
    print(f"\nNPU Farm keeps serving at {farm.address}; Ctrl-C stops it.")
    for part, login in farm.logins.items():
        print(f"    {part:<16} {login['email']:<28} {login['password']}")
    farm.wait()


def _tell(farm: Farm, asked: argparse.Namespace) -> dict[str, object] | None:
    def person(part: str) -> Person:
        return Person(address=farm.address, **farm.logins[part])

    try:
        story = Story(
            alice=person("tenant"),
            bob=person("approver"),
            dana=person("finance"),
            folder=HOME / "demo",
            image=asked.image,
            run_for_s=asked.run_for,
        )
        return story.run()
    except Refused as error:
        print(f"\nThe story broke off: {error}", file=sys.stderr, flush=True)
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop after the story")
    parser.add_argument("--port", type=int, default=0, help="default 8000, or any free one")
    parser.add_argument(
        "--run-for", type=float, default=20, metavar="SECONDS", help="how long the instance runs"
    )
    parser.add_argument("--kubeconfig", help="a real cluster instead of the sandbox")
    parser.add_argument("--image", help="the workspace image to start")
    return parser


if __name__ == "__main__":
    sys.exit(main())
