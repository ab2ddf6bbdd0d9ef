"""State and use cases: Django apps, each of which may import only those below it."""
