"""The environment of a container: what its manifest and its devices put there."""

import re
from collections.abc import Mapping

from provisioning.sandbox.objects import Json

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def variables_of(
    container: Json, from_devices: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """The variables by name, later ones knowing earlier ones; what is given is taken as it is."""
    found: dict[str, str] = {}
    for variable in container.get("env") or []:
        name = str(variable.get("name"))
        if "valueFrom" not in variable:
            found[name] = expanded(str(variable.get("value") or ""), found)
        elif name in given:
            found[name] = given[name]
    return {**found, **from_devices}


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` filled in as a kubelet does; `$$` is a plain dollar, an unknown name stays."""
    return _REFERENCE.sub(lambda match: _replacement(match, variables), text)


def _replacement(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    return variables.get(match[1], match[0])


def command_of(container: Json, variables: Mapping[str, str], image: tuple[str, ...]) -> list[str]:
    """The words a container runs: its own, or those of its image, which has no entry point."""
    own = [*(container.get("command") or []), *(container.get("args") or [])]
    return [expanded(str(word), variables) for word in own] or list(image)
