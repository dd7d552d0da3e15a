"""Speak the language a person has chosen.

A cookie carries the choice of this browser and wins; without one, the person's own
setting does, and only then what the browser asks for.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

Answer = Callable[[HttpRequest], HttpResponse]


class PersonalLanguage:
    """Middleware, after authentication: the signed-in person's language."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Speak the person's language for the length of this request."""
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and request.user.is_authenticated:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = request.user.language
        return self._get_response(request)
