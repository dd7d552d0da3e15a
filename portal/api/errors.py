"""What the API itself may refuse."""

from portal.tenants.errors import PortalError


class IdempotencyKeyRefused(PortalError):
    """An idempotency key has 1 to 255 printable ASCII characters."""

    code = "idempotency_key_refused"


class IdempotencyKeyReused(PortalError):
    """This idempotency key was used for a different call."""

    code = "idempotency_key_reused"


class CallStillRunning(PortalError):
    """The first call with this idempotency key is still running."""

    code = "call_still_running"
    retryable = True
