"""Whether a container that ended is started again, and how long the kubelet waits with it."""

FIRST_PAUSE = 10.0
LONGEST_PAUSE = 300.0


def restarts(policy: str, code: int, *, is_init: bool = False) -> bool:
    """Whether the pod's policy asks for another run; an init container that did well has had it."""
    if is_init and code == 0:
        return False
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def shown(seconds: float) -> str:
    """A pause as the kubelet prints durations: `10s`, `1m20s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def pause_before(restart: int) -> float:
    """Seconds before the nth restart: none for the first, then ten and doubling."""
    if restart <= 1:
        return 0.0
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (restart - 2))
