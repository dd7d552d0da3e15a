"""The sandbox could be lifted out of the repository: it knows nothing of the product."""

import ast
import subprocess
import sys
from pathlib import Path

import provisioning.sandbox

ROOT = Path(provisioning.sandbox.__file__).parent
OUTSIDE = {"uvicorn", "h11", "yaml", "grpc", "google", "urllib3"}


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def test_only_itself_and_six_packages_are_imported() -> None:
    for path in ROOT.rglob("*.py"):
        for name in _imported(path):
            top = name.partition(".")[0]
            own = name.startswith("provisioning.sandbox") or name == "provisioning.sandbox"
            assert own or top in OUTSIDE or top in sys.stdlib_module_names, f"{path.name}: {name}"


def test_running_it_loads_no_django() -> None:
    code = (
        "import sys, provisioning.sandbox.serving, provisioning.sandbox.device_plugin;"
        "sys.exit('django' in sys.modules or 'kubernetes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parents[1], check=False)
    assert done.returncode == 0
