"""What a statement raises when the database is away or does not carry it out."""

import asyncpg

DATABASE_ERRORS = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
