"""Who gives a command: their name on the machine, or their number where they have none."""

import getpass
import os


def who_asks() -> str:
    """Return the name for the record of an act."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container, a user may be a number that nobody has given a name.
        return str(os.getuid())
