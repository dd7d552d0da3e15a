"""A terminal in a pod: which shell, and how it ends when its window is gone.

The kubelet lets a shell live on when its connection is cut.  So each terminal knows its
own name, and whoever cuts it hangs up: the shell, and only it, is told, as a closed
window would tell it.
"""

from contextlib import suppress
from typing import Final
from uuid import UUID

from provisioning.cluster import execing
from provisioning.errors import ProvisioningError
from provisioning.pods import LivePod

_LOGIN: Final = """\
export NPU_FARM_TERMINAL=$$:{name} TERM=xterm-256color TMOUT={idle}
cd "$HOME" 2>/dev/null
[ -x /bin/bash ] && exec /bin/bash
exec /bin/sh"""
# Programs started in the terminal inherit the name, but not the process id in it.
_HANG_UP: Final = """\
for place in /proc/[0-9]*; do
  grep -qs "NPU_FARM_TERMINAL=${{place#/proc/}}:{name}" "$place/environ" &&
    kill -HUP "${{place#/proc/}}"
done"""


def login_command(*, terminal_id: UUID, idle_seconds: float) -> tuple[str, ...]:
    """Return what starts the best shell the image has; left alone, it ends by itself."""
    return ("/bin/sh", "-c", _LOGIN.format(name=terminal_id, idle=max(1, round(idle_seconds))))


async def hang_up(pod: LivePod, *, terminal_id: UUID) -> None:
    """End the shell of a terminal that is gone; a pod that is gone took it along."""
    command = ("/bin/sh", "-c", _HANG_UP.format(name=terminal_id))
    with suppress(ProvisioningError):
        async with execing.running_command(pod, command=command, has_terminal=False) as shell:
            async for _ in shell:
                pass
