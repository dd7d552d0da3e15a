"""What an examination finds in a simulated container, which has neither files nor a network.

The word in `NPU_FARM_PROBE` says what it looks for: simulated devices can be opened by
anybody, and nobody reaches anybody.
"""

from provisioning.sandbox.objects import Json

VARIABLE = "NPU_FARM_PROBE"
SECONDS = 0.1
_ANSWERS = {"devices": 0, "client": 4}


def exit_code_of(container: Json) -> int | None:
    """The exit code a probe comes to; None for every other container."""
    given = {one.get("name"): one.get("value") for one in container.get("env") or []}
    return _ANSWERS.get(str(given.get(VARIABLE)))
