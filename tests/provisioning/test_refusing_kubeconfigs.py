"""A kubeconfig that makes no sense is refused, in words that do not repeat it."""

import traceback
from typing import Any

import pytest
import yaml

from provisioning.cluster import kubeconfigs
from provisioning.errors import KubeconfigRefused
from tests.provisioning.test_reading_kubeconfigs import kubeconfig


@pytest.mark.parametrize(
    "changes",
    [
        {"current-context": ["main"]},
        {"contexts": [{"name": ["main"], "context": {}}]},
        {"contexts": [{"name": "main", "context": {"cluster": ["c"], "user": "u"}}]},
        {"clusters": [{"name": {"c": 1}, "cluster": {"server": "https://x"}}]},
        {"cluster": {"server": "https://[::1"}},
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KubeconfigRefused):
        kubeconfigs.parse_kubeconfig(yaml.safe_dump(kubeconfig(**changes)))


def test_a_user_that_is_no_name_is_nobody() -> None:
    odd = kubeconfig(contexts=[{"name": "main", "context": {"cluster": "c", "user": ["u"]}}])
    with pytest.raises(KubeconfigRefused):
        kubeconfigs.parse_kubeconfig(yaml.safe_dump(odd))


def test_a_line_that_does_not_parse_is_not_quoted() -> None:
    text = ": ".join(["token", "secret-token", "x"])
    with pytest.raises(KubeconfigRefused) as refused:
        kubeconfigs.parse_kubeconfig(text)
    assert text not in "".join(traceback.format_exception(refused.value))
