"""What a statement raises when the database is away or does not carry it out."""

import asyncpg

DATABASE_ERRORS = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)

# The database is away, full, stopping or a standby; nothing it was given is to blame.
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.PostgresSystemError,
    asyncpg.InterfaceError,
)
