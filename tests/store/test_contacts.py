"""Customers by any of their names: one contact each, however many processes meet them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from portero.engine import Metric
from portero.store import contacts
from portero.store.admission import Note
from portero.store.contacts import Identity
from portero.store.records import RecordKind
from portero.store.sealing import CannotOpen
from store.shop import Shop, connected, connector, limit_of, recording, tally

LUCIA = "525512345678"


async def resolve(shop: Shop, *identities: Identity) -> list[Any]:
    async with connected(shop.database, shop.id) as connection:
        known = await contacts.resolve(connection, identities)
    return [known[contacts.key_of(identity)] for identity in identities]


async def link(shop: Shop, *groups: Sequence[Identity]) -> None:
    async with connected(shop.database, shop.id) as connection:
        await contacts.link(connection, groups)


def contact_of(shop: Shop, identity: Identity) -> Any:
    [found] = asyncio.run(resolve(shop, identity))
    return found


def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    async def go() -> list[Any]:
        return await asyncio.gather(*work)

    return asyncio.run(go())


def test_twenty_first_meetings_at_once_make_one_contact(shop: Shop) -> None:
    met = together(*(resolve(shop, shop.identity(LUCIA)) for _ in range(20)))

    assert len({contact for [contact] in met}) == 1
    assert (shop.count("contact"), shop.count("contact_identity")) == (1, 1)


def test_a_contact_is_never_made_for_a_name_that_somebody_else_just_took(shop: Shop) -> None:
    async def go() -> list[Any]:
        async with connected(shop.database, shop.id) as first:
            await contacts.resolve(first, [shop.identity(LUCIA)])
            later = asyncio.ensure_future(resolve(shop, shop.identity(LUCIA)))
            await asyncio.sleep(0.05)  # it has looked, found nobody, and waits to write
        return await later

    asyncio.run(go())

    assert (shop.count("contact"), shop.count("contact_identity")) == (1, 1)


def test_g36_spellings_and_national_twins_are_one_contact(shop: Shop) -> None:
    names = ["525512345678", "5215512345678", "+52 55 1234 5678"]

    met = asyncio.run(resolve(shop, *map(shop.identity, names)))

    assert len(set(met)) == 1


def test_kinds_and_workspaces_keep_equal_names_apart(shop: Shop) -> None:
    other = Shop.open(shop.database)

    [phone, username] = asyncio.run(
        resolve(shop, shop.identity("34600111222"), shop.identity("34600111222", "username"))
    )
    [elsewhere] = asyncio.run(resolve(other, other.identity("34600111222")))

    assert len({phone, username, elsewhere}) == 3


def test_linked_names_become_the_older_contact(shop: Shop) -> None:
    older = contact_of(shop, shop.identity(LUCIA))
    younger = contact_of(shop, shop.identity("MX.7", "bsuid"))
    assert older < younger

    group = [shop.identity("MX.7", "bsuid"), shop.identity(LUCIA), shop.identity("lu", "username")]
    asyncio.run(link(shop, group))

    assert [contact_of(shop, identity) for identity in group] == [older] * 3
    assert shop.count("contact") == 2  # the younger one stays, without a name, for its records


def test_linking_takes_along_what_the_younger_was_already_called(shop: Shop) -> None:
    phone, bsuid = shop.identity(LUCIA), shop.identity("MX.7", "bsuid")
    username = shop.identity("lucia", "username")
    older = contact_of(shop, phone)

    asyncio.run(link(shop, [bsuid, username]))
    asyncio.run(link(shop, [phone, bsuid]))

    assert contact_of(shop, username) == older


def test_strangers_named_together_are_one_new_contact(shop: Shop) -> None:
    group = [shop.identity(LUCIA), shop.identity("MX.7", "bsuid")]

    asyncio.run(link(shop, group, group))

    assert contact_of(shop, group[0]) == contact_of(shop, group[1])
    assert shop.count("contact") == 1


def test_twenty_links_of_one_chain_at_once_make_one_contact(shop: Shop) -> None:
    """Each pair shares a name with the next; whoever comes first, all are one in the end."""
    names = [shop.identity(f"MX.{n}", "bsuid") for n in range(8)]

    async def try_link(a: Identity, b: Identity) -> None:
        while True:
            try:
                return await link(shop, [a, b])
            except asyncpg.DeadlockDetectedError:
                continue

    together(*(try_link(a, b) for a, b in pairwise(names)))

    assert len(set(asyncio.run(resolve(shop, *names)))) == 1


async def name_given_while_merging(shop: Shop) -> list[Any]:
    """One process merges a contact away while another has just given it one more name."""
    older, younger = shop.identity(LUCIA), shop.identity("MX.7", "bsuid")
    known, new = shop.identity("lucia", "username"), shop.identity("MX.P", "parent_bsuid")
    await resolve(shop, older)
    await link(shop, [younger, known])
    async with connected(shop.database, shop.id) as other:
        await contacts.link(other, [[known, new]])
        merging = asyncio.ensure_future(link(shop, [older, younger]))
        await asyncio.sleep(0.1)
    await merging
    return await resolve(shop, older, younger, known, new)


def test_a_name_given_while_its_contact_is_merged_goes_along(shop: Shop) -> None:
    assert len(set(asyncio.run(name_given_while_merging(shop)))) == 1


def test_who_merges_only_once_leaves_that_name_behind(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def once(connection: Any, *arguments: Any) -> None:
        await connection.execute(contacts._MERGE, *arguments)

    monkeypatch.setattr(contacts, "_merge", once)

    assert len(set(asyncio.run(name_given_while_merging(shop)))) == 2


def test_g36_a_person_under_another_name_is_no_new_recipient(shop: Shop) -> None:
    limit = limit_of(1, Metric.RECIPIENTS)
    names = [shop.identity(LUCIA), shop.identity("MX.7", "bsuid"), shop.identity("lu", "username")]
    told = Note(record=shop.intent(kind=RecordKind.EVENT), people=(tuple(names),))

    async def go() -> list[Any]:
        async with recording(connector(shop.database)) as recorder:
            await recorder.note(told)
            return [
                await recorder.admit(shop.admission(takes=(limit,), recipients=(name,)))
                for name in (*names, shop.identity("34600111222"))
            ]

    assert tally(asyncio.run(go())) == {"Admitted": 3, "Refused": 1}


# What lies in the table


def test_no_name_lies_in_clear_and_each_opens_only_at_its_place(shop: Shop) -> None:
    contact_of(shop, shop.identity(LUCIA))
    contact_of(shop, shop.identity("34600111222"))

    lucia, other = shop.rows(
        "SELECT * FROM contact_identity WHERE workspace_id = %s ORDER BY created_at"
    )

    def opened(row: Any, sealed: bytes) -> bytes:
        return shop.keys.open("contact_identity", "sealed", row["id"], bytes(sealed))

    assert opened(lucia, lucia["sealed"]) == LUCIA.encode()
    with pytest.raises(CannotOpen):
        opened(lucia, other["sealed"])
    for row in (lucia, other):
        text = b"".join(bytes(v) for v in row.values() if isinstance(v, bytes | memoryview))
        assert LUCIA[-8:].encode() not in text


def test_the_same_number_has_another_digest_in_another_workspace(shop: Shop) -> None:
    other = Shop.open(shop.database)

    assert shop.identity(LUCIA).digest == shop.identity(LUCIA).digest
    assert shop.identity(LUCIA).digest != other.identity(LUCIA).digest


def test_a_contact_of_another_workspace_cannot_be_named(shop: Shop) -> None:
    other = Shop.open(shop.database)
    theirs = contact_of(other, other.identity(LUCIA))

    async def go() -> None:
        async with connected(shop.database, shop.id) as connection:
            await contacts._add(connection, [(theirs, other.identity("34600111222"))])

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(go())
    assert other.count("contact_identity") == 1
