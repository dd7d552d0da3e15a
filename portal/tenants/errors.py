"""What portal may refuse, each a fact with a code.

The docstring is the message.  Quotas and requests add their own below the same base;
which HTTP answer a fact becomes is decided in `portal.api.problems`.
"""

import inspect
from typing import ClassVar


class PortalError(Exception):
    """Portal refuses."""

    code: ClassVar[str] = "portal_error"
    # Whether the same call may succeed later without anyone changing anything.
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "") -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "")
        super().__init__(self.message)


class NotFound(PortalError):
    """There is no such thing, or it is not yours to see."""

    code = "not_found"


class Forbidden(PortalError):
    """Your role does not allow this."""

    code = "forbidden"


class NameMissing(PortalError):
    """A name is needed."""

    code = "name_missing"


class SlugTaken(PortalError):
    """This short name is already taken."""

    code = "slug_taken"


class SlugRefused(PortalError):
    """A short name holds small letters, digits and hyphens only."""

    code = "slug_refused"


class UnknownPerson(PortalError):
    """Nobody has signed up with this e-mail address."""

    code = "unknown_person"


class AlreadyMember(PortalError):
    """This person is already a member."""

    code = "already_member"


class LastOwner(PortalError):
    """A tenant keeps at least one owner."""

    code = "last_owner"


class UnknownRole(PortalError):
    """There is no such role."""

    code = "unknown_role"


class ExpiryOutOfRange(PortalError):
    """A token expires in the future, within one year."""

    code = "expiry_out_of_range"
