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
