"""What keeps somebody out of an instance, each with a code."""

from portal.tenants.errors import PortalError


class SignedOut(PortalError):
    """Nobody is signed in here any more."""

    code = "signed_out"


class TicketRefused(PortalError):
    """This ticket opens nothing: it was used, is too old, or is for another door."""

    code = "ticket_refused"


class TooManyTerminals(PortalError):
    """There are too many open terminals in this instance."""

    code = "too_many_terminals"


class TooManyOpen(PortalError):
    """You have too many connections to instances open at once."""

    code = "too_many_open"


class TooManyStreams(PortalError):
    """Too many logs are being followed at once: close another one first."""

    code = "too_many_streams"
    retryable = True
