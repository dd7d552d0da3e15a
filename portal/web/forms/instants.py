"""Instants as people here type them: Korean time, to the minute."""

from django import forms


def instant_input() -> forms.DateTimeInput:
    """The browser's own field for a date and a time."""
    return forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
