"""What a simulated container does, read from its image and its command.

An image of the farm file says how it behaves when its own entry point runs.  A
command overrides that; these are understood, alone or inside `sh -c`:

    sleep N, sleep inf        runs for N seconds (or for ever), then exits with 0
    exit N, true, false       ends at once with that code
    sleep N; exit M           runs for N seconds, then exits with M
    trap '' TERM              ignores SIGTERM, so the container is killed after its grace
    trap 'exit N' TERM        ends with N soon after SIGTERM
    exec, env, echo           do not change how it ends

Any other command runs for ever, unless the image lists its programs and the command is
not among them: then it fails to start.  A plain `sleep` as the first process of a container
ignores SIGTERM, as it does on a real node.
"""

import dataclasses
import re
import shlex
from dataclasses import dataclass

from provisioning.sandbox.containers import probes
from provisioning.sandbox.farm import Image
from provisioning.sandbox.objects import Json

LISTENING_SECONDS = 0.1
_FOREVER = ("inf", "infinity", "2147483647")
_SHELLS = ("sh", "bash", "ash")


def missing_program(container: Json, image: Image) -> str:
    """The program a command names that the image does not have; empty when it has it."""
    command = [str(word) for word in container.get("command") or []]
    if not image.programs or not command:
        return ""
    return "" if command[0].rpartition("/")[2] in image.programs else command[0]


@dataclass(frozen=True)
class Behaviour:
    """How long a container runs, how it ends, and what SIGTERM does to it."""

    run_seconds: float | None = None
    exit_code: int = 0
    stop_seconds: float | None = LISTENING_SECONDS
    stop_exit_code: int = 143


def of_image(image: Image) -> Behaviour:
    """What an image does when its own entry point runs."""
    return Behaviour(image.run_seconds, image.exit_code, image.stop_seconds, image.stop_exit_code)


def of_container(container: Json, image: Image) -> Behaviour:
    """What a container does, with its command or without."""
    if (found := probes.exit_code_of(container)) is not None:
        return Behaviour(probes.SECONDS, found)
    words = [str(word) for word in container.get("command") or container.get("args") or []]
    if container.get("command"):
        words += [str(word) for word in container.get("args") or []]
    return _of_words(words, of_image(image)) if words else of_image(image)


def _of_words(words: list[str], default: Behaviour) -> Behaviour:
    program = words[0].rpartition("/")[2]
    if program in _SHELLS and "-c" in words[:-1]:
        return _of_script(words[words.index("-c") + 1], default)
    behaviour = Behaviour(stop_seconds=None) if program == "sleep" else default
    return _step(dataclasses.replace(behaviour, run_seconds=None, exit_code=0), words) or behaviour


def _of_script(script: str, default: Behaviour) -> Behaviour:
    behaviour = dataclasses.replace(default, run_seconds=0.0, exit_code=0)
    for statement in re.split(r"[;\n]|&&", script):
        words = _words(statement)
        behaviour = _step(behaviour, words) or behaviour
        if behaviour.run_seconds is None or words[:1] == ["exit"]:
            break
    return behaviour


def _words(statement: str) -> list[str]:
    try:
        words = shlex.split(statement)
    except ValueError:
        return [statement]
    return words[1:] if words[:1] == ["exec"] else words


def _step(before: Behaviour, words: list[str]) -> Behaviour | None:
    """The behaviour with one more command run; None when the command adds nothing."""
    name, rest = (words[0].rpartition("/")[2], words[1:]) if words else ("", [])
    if name == "sleep" and rest:
        return _slept(before, rest[0])
    if name == "exit":
        return dataclasses.replace(
            before, exit_code=int(rest[0]) if rest and rest[0].isdigit() else 0
        )
    if name in ("true", "false"):
        code = 0 if name == "true" else 1
        return dataclasses.replace(before, run_seconds=before.run_seconds or 0.0, exit_code=code)
    if name == "trap" and rest:
        return _trapped(before, rest[0])
    if name in ("", "env", "echo", "set", "export", "cd"):
        return dataclasses.replace(before, run_seconds=before.run_seconds or 0.0)
    return dataclasses.replace(before, run_seconds=None)


def _trapped(before: Behaviour, script: str) -> Behaviour:
    words = _words(script)
    if not words:
        return dataclasses.replace(before, stop_seconds=None)
    code = int(words[1]) if words[:1] == ["exit"] and len(words) > 1 and words[1].isdigit() else 0
    return dataclasses.replace(before, stop_seconds=LISTENING_SECONDS, stop_exit_code=code)


def _slept(before: Behaviour, text: str) -> Behaviour:
    if text in _FOREVER:
        return dataclasses.replace(before, run_seconds=None)
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        return dataclasses.replace(before, run_seconds=0.0, exit_code=1)
    return dataclasses.replace(before, run_seconds=(before.run_seconds or 0.0) + seconds)
