"""`python -m provisioning.sandbox --port P --state DIR [--farm FILE]`: a farm on loopback."""

import argparse
import sys
from pathlib import Path

from provisioning.sandbox import farm, serving


def main(arguments: list[str] | None = None) -> int:
    """Serve a farm until SIGTERM; 2 and 3 say why it could not begin."""
    options = _parser().parse_args(arguments)
    try:
        simulated = farm.load(options.farm)
    except (farm.BadFarm, OSError) as error:
        return _refuse(error, 2)
    try:
        place = serving.take_place(port=options.port, folder=options.state)
    except serving.CannotServe as error:
        return _refuse(error, 3)
    serving.serve(simulated, place)
    return 0


def _refuse(error: Exception, code: int) -> int:
    sys.stderr.write(f"sandbox: {error}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m provisioning.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on loopback; 0 takes any free one")
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for state and kubeconfigs"
    )
    parser.add_argument("--farm", type=Path, default=farm.DEFAULT_FARM, help="farm file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
