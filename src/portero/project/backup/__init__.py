"""Copies of an installation: its data under its own keys, and its keys apart from the data."""
