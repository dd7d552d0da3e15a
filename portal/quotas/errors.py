"""What quotas may refuse."""

from portal.tenants.errors import PortalError


class QuotaExceeded(PortalError):
    """The project's quota has no room for this many devices."""

    code = "quota_exceeded"

    def __init__(self, *, wanted: int, free: int) -> None:
        self.wanted = wanted
        self.free = free
        super().__init__(
            f"The project's quota has room for {free} more devices; {wanted} were asked for."
        )


class QuotaInUse(PortalError):
    """A quota cannot fall below what is reserved."""

    code = "quota_in_use"


class DevicesOutOfRange(PortalError):
    """The number of devices is out of range."""

    code = "devices_out_of_range"
