"""Errors, files and small helpers that everything else uses."""
