"""The commands of the small shell: words in, text and an exit code out."""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from provisioning.sandbox.containers.runtime import Launch
from provisioning.sandbox.containers.variables import variables_of
from provisioning.sandbox.objects import name_of

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\?))")


@dataclass
class Surroundings:
    """What a command can see: its variables, its terminal, how the last one ended."""

    variables: dict[str, str]
    command: str
    programs: Sequence[str] = ()
    columns: int = 80
    rows: int = 24
    code: int = 0
    is_leaving: bool = False


@dataclass(frozen=True)
class Told:
    """What a command wrote and how it ended."""

    out: str = ""
    err: str = ""
    code: int = 0


Command = Callable[[list[str], Surroundings], Told]


def surroundings_of(launch: Launch, programs: Sequence[str]) -> Surroundings:
    """What a shell finds in a container."""
    variables = {"HOSTNAME": name_of(launch.pod), "PATH": "/bin", "HOME": "/"}
    variables |= variables_of(launch.container, launch.environment, launch.given.variables)
    command = launch.container.get("command") or launch.container.get("args") or ["workspace"]
    return Surroundings(variables, shlex.join(map(str, command)), tuple(programs))


def known(surroundings: Surroundings) -> list[str]:
    """The programs that can be executed by themselves: all, or those the image has."""
    own = [name for name in (*COMMANDS, "sleep", "cat") if name not in _BUILT_IN]
    return [name for name in own if not surroundings.programs or name in surroundings.programs]


def split(script: str) -> list[tuple[str, bool]]:
    """The statements of a script, and whether each wants the one before to have gone well."""
    parts = re.split(r"(;|\n|&&)", script)
    joints = ["", *parts[1::2]]
    pairs = zip(parts[::2], joints, strict=True)
    return [(text.strip(), joint == "&&") for text, joint in pairs if text.strip()]


def words_of(text: str, surroundings: Surroundings) -> list[str]:
    """A statement's words, its variables filled in; none when it makes no sense."""
    try:
        words = shlex.split(_VARIABLE.sub(lambda match: _value(match, surroundings), text))
    except ValueError:
        return ["syntax-error"]
    return words[1:] if words[:1] == ["exec"] else words


def _value(match: re.Match[str], surroundings: Surroundings) -> str:
    if match[3]:
        return str(surroundings.code)
    return surroundings.variables.get(match[1] or match[2], "")


def seconds_of(words: list[str]) -> float:
    """How long a `sleep` takes."""
    text = words[1].removesuffix("s") if len(words) > 1 else "0"
    try:
        # No event loop counts further than this.
        return 86400.0 if text in ("inf", "infinity") else min(86400.0, float(text))
    except ValueError:
        return 0.0


def run(words: list[str], surroundings: Surroundings) -> Told:
    """Run one statement."""
    to_stderr = [word for word in words if word in (">&2", "1>&2")]
    words = [word for word in words if word not in to_stderr]
    if not words:
        return Told()
    command = COMMANDS.get(words[0].rpartition("/")[2])
    if command is None:
        return Told(err=f"sh: {words[0]}: not found\n", code=127)
    told = command(words[1:], surroundings)
    return Told(err=told.out + told.err, code=told.code) if to_stderr else told


def _echo(words: list[str], _: Surroundings) -> Told:
    if words[:1] == ["-n"]:
        return Told(" ".join(words[1:]))
    return Told(" ".join(words) + "\n")


def _env(_: list[str], surroundings: Surroundings) -> Told:
    return Told("".join(f"{name}={value}\n" for name, value in surroundings.variables.items()))


def _printenv(words: list[str], surroundings: Surroundings) -> Told:
    if not words:
        return _env(words, surroundings)
    value = surroundings.variables.get(words[0])
    return Told(code=1) if value is None else Told(f"{value}\n")


def _export(words: list[str], surroundings: Surroundings) -> Told:
    pairs = [word.partition("=") for word in words]
    surroundings.variables |= {name: value for name, equals, value in pairs if equals}
    return Told()


def _exit(words: list[str], surroundings: Surroundings) -> Told:
    surroundings.is_leaving = True
    return Told(code=int(words[0]) if words and words[0].isdigit() else surroundings.code)


def _ps(_: list[str], surroundings: Surroundings) -> Told:
    return Told(f"PID   USER     COMMAND\n    1 user     {surroundings.command}\n")


def _stty(words: list[str], surroundings: Surroundings) -> Told:
    return Told(f"{surroundings.rows} {surroundings.columns}\n" if words == ["size"] else "")


def _date(_: list[str], __: Surroundings) -> Told:
    return Told(datetime.now(UTC).strftime("%a %b %e %H:%M:%S UTC %Y\n"))


def _help(_: list[str], __: Surroundings) -> Told:
    return Told("A simulated container. It knows: " + " ".join(sorted(COMMANDS)) + "\n")


def _says(text: str, code: int = 0) -> Command:
    return lambda _, __: Told(text, code=code)


COMMANDS: dict[str, Command] = {
    # There are no files to ask about, and nowhere else to go.
    "[": _says("", 1),
    "cd": _says(""),
    "export": _export,
    "date": _date,
    "echo": _echo,
    "env": _env,
    "exit": _exit,
    "false": _says("", 1),
    "help": _help,
    "hostname": lambda _, surroundings: Told(surroundings.variables["HOSTNAME"] + "\n"),
    "id": _says("uid=1000(user) gid=1000 groups=1000\n"),
    "ls": _says(""),
    "printenv": _printenv,
    "ps": _ps,
    "pwd": _says("/\n"),
    "stty": _stty,
    "true": _says(""),
    "whoami": _says("user\n"),
}
_BUILT_IN = ("cd", "exit", "export", "help")
