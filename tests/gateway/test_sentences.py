"""A refusal in words names things as people do."""

from portero.engine import (
    Binding,
    Check,
    Context,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
    compile_policy,
)
from portero.gateway.sentences import refusal_sentence, refused_facts

NOW = Context(now=1_770_000_000.0, weekday=0, minute=600)
BINDING, ROLE = (f"0197a3a0-0000-7000-8000-00000000000{n}" for n in (1, 2))
BETO = Principal("beto", PrincipalKind.PERSON, "Beto")
WRITER = Role(ROLE, "Writer", {"send:text": Reach.ALL})
ELSEWHERE = Check("send:text", Resource("number", number="soporte"))


def sentence(role: str, names: dict[str, str]) -> str:
    binding = Binding(BINDING, "beto", role, Scope(numbers=frozenset({"ventas"})))
    snapshot = compile_policy(Policy("w", 1, (BETO,), (WRITER,), (binding,)))
    return refusal_sentence(snapshot.explain("beto", (ELSEWHERE,), NOW), names)


def test_a_binding_goes_by_the_name_of_its_role():
    said = sentence(ROLE, {ROLE: "Writer"})

    assert "the binding “Writer”" in said
    assert BINDING not in said


def test_a_role_without_a_name_leaves_the_id_to_be_asked_about():
    assert BINDING in sentence(ROLE, {})


def test_the_facts_of_a_refusal_are_those_of_its_sentence():
    binding = Binding(BINDING, "beto", ROLE, Scope(numbers=frozenset({"ventas"})))
    snapshot = compile_policy(Policy("w", 1, (BETO,), (WRITER,), (binding,)))

    outside = refused_facts(snapshot.explain("beto", (ELSEWHERE,), NOW))
    missing = refused_facts(
        snapshot.explain("beto", (Check("call:place", Resource("number")),), NOW)
    )

    assert outside == {
        "permission": "send:text",
        "failing": [["number", ["ventas"], "soporte"]],
    }
    assert missing == {"permission": "call:place", "failing": []}
