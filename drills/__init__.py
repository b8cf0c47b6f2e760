"""Rehearse the failures of Wavry's control plane and say, with evidence, whether a user would have noticed."""

__version__ = "0.1.0"
