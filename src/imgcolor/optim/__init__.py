"""Optimizers."""

from imgcolor.optim.muon import Muon

__all__ = ["Muon"]
