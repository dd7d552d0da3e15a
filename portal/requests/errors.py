"""What submitting and deciding may refuse."""

from portal.tenants.errors import PortalError


class RequestAlreadyDecided(PortalError):
    """Somebody has already decided this request."""

    code = "request_already_decided"


class ReasonMissing(PortalError):
    """A rejection needs a reason."""

    code = "reason_missing"


class JustificationMissing(PortalError):
    """Say what the devices are for."""

    code = "justification_missing"


class CountOutOfRange(PortalError):
    """The number of instances is out of range."""

    code = "count_out_of_range"


class NameRefused(PortalError):
    """The name is too long or holds characters that cannot be kept."""

    code = "name_refused"


class MoreThanAsked(PortalError):
    """An approver may grant fewer devices than asked, never more."""

    code = "more_than_asked"


class LeaseTooLong(PortalError):
    """So long a lease needs a decision: submit a new instance request."""

    code = "lease_too_long"


class ConflictOfInterest(PortalError):
    """Nobody decides a request of a tenant they belong to."""

    code = "conflict_of_interest"


class VolumesForOne(PortalError):
    """A volume is attached to one instance at a time; ask for one instance."""

    code = "volumes_for_one"


class VolumeLimitExceeded(PortalError):
    """The project's storage has no room for a volume of this size."""

    code = "volume_limit_exceeded"

    def __init__(self, *, wanted: int, free: int) -> None:
        self.wanted, self.free = wanted, free
        super().__init__(f"{wanted} GiB were asked for, {free} GiB are free.")
