"""What happens when somebody signs up: they are spoken to as they arrived."""

from allauth.account.adapter import DefaultAccountAdapter
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils.translation import get_language

from portal.tenants.models import User


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's hooks, as far as we use them."""

    def save_user(
        self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True
    ) -> User:
        """Keep the language of the sign-up page as the person's own."""
        user.language = get_language() or user.language
        saved: User = super().save_user(request, user, form, commit)
        return saved
