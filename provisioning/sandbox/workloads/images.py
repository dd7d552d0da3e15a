"""The images the sandbox can run as local processes, and what each runs.

A farm file may ask for them by `process: true`; no other image ever becomes a process.
"""

from pathlib import Path

WEB = Path(__file__).with_name("web.py")

# The program of each; `python3` is a Python of this machine, `web.py` is in the container's folder.
COMMANDS: dict[str, tuple[str, ...]] = {
    # A page with a WebSocket on port 8080.
    "registry.local/npu-web:1": ("python3", "-I", "web.py"),
    # Prints its environment and sleeps, like the simulated workspace.
    "registry.local/npu-shell:1": ("sh", "-c", "env; exec sleep 2147483647"),
}
# Put into every container's folder.
FILES: tuple[Path, ...] = (WEB,)
