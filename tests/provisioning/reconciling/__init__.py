"""Passes over an instance, against an API server that answers as told."""
