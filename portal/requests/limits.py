"""What this installation launches without a person; `policies` judges by it."""

from datetime import timedelta

from django.conf import settings

from portal.requests.policies import Limits


def limits_in_force() -> Limits:
    """Read the settings `REQUEST_HOLD_…`; what is not set holds nothing."""
    days: int | None = getattr(settings, "REQUEST_HOLD_LEASE_DAYS_OVER", None)
    return Limits(
        devices_over=getattr(settings, "REQUEST_HOLD_DEVICES_OVER", None),
        lease_over=None if days is None else timedelta(days=days),
        hold_without_end=getattr(settings, "REQUEST_HOLD_WITHOUT_END", False),
    )
