"""Invoices as people and programs receive them: `sheets` → `pdf` and `csv`, kept by `files`."""

from billing.documents.files import file_of, render_invoice

__all__ = ["file_of", "render_invoice"]
