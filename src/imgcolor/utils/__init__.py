"""Errors, files and small helpers. This package imports no other package of imgcolor."""
