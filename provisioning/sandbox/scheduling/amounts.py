"""How much of each resource a pod asks for, and a node offers, as whole numbers.

CPU counts in thousandths, the rest in units; scheduler and quota share it.
"""

from fractions import Fraction
from functools import lru_cache

from provisioning.sandbox import quantities
from provisioning.sandbox.objects import Json, spec, status
from provisioning.sandbox.validation.pods import read_amount

Amounts = dict[str, int]


def whole(name: str, value: object) -> int:
    """An amount in whole units; what cannot be read counts as nothing."""
    return _whole(name == "cpu", str(value))


@lru_cache(maxsize=4096)
def _whole(in_thousandths: bool, value: str) -> int:
    amount = read_amount(value)
    if amount is None:
        return 0
    scaled = amount * 1000 if in_thousandths else amount
    # What is left of a fraction still has to fit somewhere.
    return -(-scaled.numerator // scaled.denominator)


def requested(pod: Json) -> Amounts:
    """Containers run together, init containers one after another before them."""
    return {**_at_most(pod, "requests"), "pods": 1}


def limited(pod: Json) -> Amounts:
    """What a pod may use at most, reckoned as what it asks for."""
    return _at_most(pod, "limits")


def _at_most(pod: Json, part: str) -> Amounts:
    total = _summed(spec(pod).get("containers") or [], part)
    for container in spec(pod).get("initContainers") or []:
        for name, value in _summed([container], part).items():
            total[name] = max(total.get(name, 0), value)
    return total


def _summed(containers: list[Json], part: str) -> Amounts:
    total: Amounts = {}
    for container in containers:
        for name, value in ((container.get("resources") or {}).get(part) or {}).items():
            total[name] = total.get(name, 0) + whole(name, value)
    return total


def offered(node: Json) -> Amounts:
    """What a node can give to pods."""
    return {
        name: whole(name, value) for name, value in (status(node).get("allocatable") or {}).items()
    }


def is_finished(pod: Json) -> bool:
    """Whether a pod has ended for good."""
    return status(pod).get("phase") in ("Succeeded", "Failed")


@lru_cache(maxsize=16384)
def printed(name: str, amount: int) -> str:
    """An amount as Kubernetes writes it."""
    if name == "cpu":
        return quantities.write(Fraction(amount, 1000))
    return quantities.write(
        Fraction(amount), binary=name in ("memory", "ephemeral-storage", "storage")
    )
