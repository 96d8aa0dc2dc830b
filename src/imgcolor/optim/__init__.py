"""Optimizers that torch does not have."""

from imgcolor.optim.muon import Muon

__all__ = ["Muon"]
