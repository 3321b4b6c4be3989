"""Constraints from schemas."""
