"""Backends: services that generate text."""
