"""Helpers of SGLang's own test programs."""
