"""Streams to screens: that something has changed, to whoever may see it, and nothing of what."""
