"""What is typed at a terminal, turned into lines, with the echo a terminal driver gives."""


class LineEditor:
    """Collects bytes into lines; at a terminal it echoes, rubs out and understands ^C and ^D."""

    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._line = ""
        self._echo = ""

    def feed(self, data: bytes) -> list[str | None]:
        """The lines that are complete now; None is the end of the input."""
        text = data.decode(errors="replace")
        if not self._is_terminal:
            *whole, self._line = (self._line + text).split("\n")
            return list(whole)
        lines: list[str | None] = []
        for char in text.replace("\r\n", "\r"):
            self._type(char, lines)
        return lines

    def take_echo(self) -> str:
        """What the terminal shows of what was typed since it was last asked."""
        echo, self._echo = self._echo, ""
        return echo

    def _type(self, char: str, lines: list[str | None]) -> None:
        if char in "\r\n":
            self._echo += "\n"
            lines.append(self._line)
            self._line = ""
        elif char == "\x03":
            self._echo += "^C\n"
            lines.append("")
            self._line = ""
        elif char == "\x04" and not self._line:
            lines.append(None)
        elif char in "\x08\x7f":
            self._echo += "\b \b" if self._line else ""
            self._line = self._line[:-1]
        elif char.isprintable():
            self._line += char
            self._echo += char
