"""What every page knows besides its own subject: the theme, and where one may go."""

from django.http import HttpRequest

from portal.web.navigation import Navigation

THEMES = ("paper", "ink")
THEME_COOKIE = "theme"


def surround(request: HttpRequest) -> dict[str, object]:
    """Context processor: the chosen theme and the menus."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return {"theme": chosen if chosen in THEMES else "", "nav": Navigation(request)}
