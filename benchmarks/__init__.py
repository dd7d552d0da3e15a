"""Measurements of the product's promises; each prints one JSON line."""
