"""The rules one by one, as examples that people can check by reading.

Ana owns the workspace, Beto is an agent on the team Soporte, Carla holds nothing; the bot is a
service account with keys.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from portero.engine import (
    OWNERSHIP,
    Binding,
    Check,
    Conditions,
    Context,
    Credential,
    Effect,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Hours,
    Limit,
    Metric,
    Obligation,
    ObligationKind,
    Per,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Reason,
    Resource,
    Role,
    Scope,
    compile_policy,
)

MONDAY_NOON = Context(now=1_770_000_000.0, weekday=0, minute=12 * 60)
VENTAS = Resource("number", number="ventas", waba="andina")
SOPORTE = Resource("number", number="soporte", waba="andina")
ONLY_VENTAS = Scope(numbers=frozenset({"ventas"}))
OFFICE_HOURS = Hours(frozenset(range(5)), start=9 * 60, end=18 * 60)
NIGHT_SHIFT = Hours(frozenset({4}), start=22 * 60, end=6 * 60)  # Friday, into Saturday

CAST = (
    Principal("ana", PrincipalKind.PERSON, "Ana", owner=True),
    Principal("beto", PrincipalKind.PERSON, "Beto", teams=frozenset({"team_soporte"})),
    Principal("carla", PrincipalKind.PERSON, "Carla"),
    Principal("bot", PrincipalKind.SERVICE_ACCOUNT, "Orders bot"),
    Principal("team_soporte", PrincipalKind.TEAM, "Soporte"),
)
WRITER = Role("writer", "Writer", {"send:text": Reach.ALL, "template:read": Reach.ALL})


def policy(*bindings, roles=(WRITER,), cast=CAST, **rules):
    return Policy("w", 7, cast, roles, tuple(bindings), **rules)


def ask(
    policy, principal="beto", permission="send:text", resource=VENTAS, context=MONDAY_NOON, **more
):
    return compile_policy(policy).decide(principal, [Check(permission, resource)], context, **more)


def bound(id_="b1", principal="beto", role="writer", **more):
    return Binding(id_, principal, role, **more)


class TestBindings:
    def test_nothing_is_allowed_without_a_binding(self):
        decision = ask(policy(bound()), principal="carla")

        assert (decision.effect, decision.reason) == (Effect.DENY, Reason.PERMISSION_MISSING)
        assert decision.because == ()

    def test_a_binding_allows_and_is_named_as_evidence(self):
        decision = ask(policy(bound("b2"), bound("b1")))

        assert decision.effect is Effect.ALLOW
        assert decision.because == ("b1", "b2")
        assert decision.policy_version == 7

    def test_a_binding_of_a_team_counts_for_its_members(self):
        given = policy(bound(principal="team_soporte"))

        assert ask(given, "beto").allowed
        assert not ask(given, "carla").allowed

    @pytest.mark.parametrize(
        ("permission", "reason"),
        [
            ("send:image", Reason.PERMISSION_MISSING),
            ("send:telepathy", Reason.UNKNOWN_PERMISSION),
            ("send:*", Reason.UNKNOWN_PERMISSION),
            ("SEND:TEXT", Reason.UNKNOWN_PERMISSION),
            ("", Reason.UNKNOWN_PERMISSION),
        ],
    )
    def test_what_a_role_does_not_name_is_refused(self, permission, reason):
        assert ask(policy(bound()), permission=permission).reason == reason

    def test_a_permission_outside_the_catalogue_gives_nothing_even_to_an_owner(self):
        careless = replace(WRITER, cells={"send:telepathy": Reach.ALL})

        assert not ask(policy(bound(), roles=(careless,)), permission="send:telepathy").allowed
        assert not ask(policy(), "ana", permission="send:telepathy").allowed

    def test_a_binding_to_a_role_that_is_gone_gives_nothing(self):
        assert ask(policy(bound(role="gone"))).reason == Reason.PERMISSION_MISSING

    def test_ids_are_compared_byte_by_byte(self):
        for twin in ("Beto", "beto ", "bet\u006f\u0301"):
            assert ask(policy(bound()), twin).reason == Reason.UNKNOWN_PRINCIPAL
        for twin in ("Ventas", "ventas ", "venta\u017f"):
            resource = replace(VENTAS, number=twin)
            assert not ask(policy(bound(scope=ONLY_VENTAS)), resource=resource).allowed

    def test_asking_for_nothing_is_refused(self):
        decision = compile_policy(policy(bound())).decide("ana", [], MONDAY_NOON)

        assert decision.effect is Effect.DENY

    def test_all_checks_must_allow_and_the_first_refusal_gives_the_reason(self):
        snapshot = compile_policy(policy(bound(scope=ONLY_VENTAS)))
        write, read = Check("send:text", VENTAS), Check("template:read", VENTAS)
        elsewhere, lacking = Check("send:text", SOPORTE), Check("send:image", VENTAS)

        def reason(*checks):
            return snapshot.decide("beto", checks, MONDAY_NOON).reason

        assert reason(write, read) == Reason.ALLOWED
        assert reason(write, elsewhere, lacking) == Reason.OUTSIDE_SCOPE
        assert reason(lacking, elsewhere, write) == Reason.PERMISSION_MISSING
        assert reason(write, write) == Reason.ALLOWED

    def test_who_left_may_nothing(self):
        gone = tuple(replace(p, active=False) if p.id == "beto" else p for p in CAST)

        assert ask(policy(bound(), cast=gone)).reason == Reason.PRINCIPAL_INACTIVE

    def test_two_rules_with_one_id_are_refused_when_compiled(self):
        with pytest.raises(ValueError, match="'b1' occurs twice"):
            compile_policy(policy(bound(), bound(scope=ONLY_VENTAS)))


class TestScopes:
    def test_a_scope_allows_inside_only(self):
        given = policy(bound(scope=ONLY_VENTAS))

        assert ask(given, resource=VENTAS).allowed
        assert ask(given, resource=SOPORTE).reason == Reason.OUTSIDE_SCOPE
        assert ask(given, resource=Resource("number")).reason == Reason.OUTSIDE_SCOPE

    def test_an_empty_set_is_nowhere(self):
        assert not ask(policy(bound(scope=Scope(numbers=frozenset())))).allowed

    def test_one_label_in_common_is_enough(self):
        given = policy(bound(scope=Scope(labels=frozenset({"vip", "new"}))))

        assert ask(given, resource=replace(VENTAS, labels=frozenset({"vip", "late"}))).allowed
        assert not ask(given, resource=replace(VENTAS, labels=frozenset({"late"}))).allowed
        assert not ask(given, resource=replace(VENTAS, labels=frozenset())).allowed
        assert not ask(given, resource=VENTAS).allowed

    def test_r08_two_bindings_never_lend_each_other_their_scope(self):
        mexico_from_ventas = Scope(numbers=frozenset({"ventas"}), countries=frozenset({"MX"}))
        spain_from_soporte = Scope(numbers=frozenset({"soporte"}), countries=frozenset({"ES"}))
        given = policy(bound("b1", scope=mexico_from_ventas), bound("b2", scope=spain_from_soporte))

        assert ask(given, resource=replace(VENTAS, country="MX")).because == ("b1",)
        assert ask(given, resource=replace(VENTAS, country="ES")).reason == Reason.OUTSIDE_SCOPE

    def test_r08_two_bindings_never_lend_each_other_a_permission(self):
        pictures = Role("pictures", "Pictures", {"send:image": Reach.ALL})
        given = policy(
            bound("b1", scope=ONLY_VENTAS),
            bound("b2", role="pictures", scope=Scope(numbers=frozenset({"soporte"}))),
            roles=(WRITER, pictures),
        )

        assert not ask(given, permission="send:image", resource=VENTAS).allowed


class TestReach:
    MINE = replace(VENTAS, owner="beto", team="team_ventas")
    TAKING_PART = replace(VENTAS, owner="ana", participants=frozenset({"beto"}))
    UNASSIGNED_IN_TEAM = replace(VENTAS, team="team_soporte")
    OTHERS_IN_TEAM = replace(VENTAS, owner="ana", team="team_soporte")
    ELSEWHERE = replace(VENTAS, owner="ana", team="team_ventas")
    NOBODYS = VENTAS
    EVERYTHING = (MINE, TAKING_PART, UNASSIGNED_IN_TEAM, OTHERS_IN_TEAM, ELSEWHERE, NOBODYS)

    @pytest.mark.parametrize(
        ("reach", "within"),
        [
            (Reach.NONE, ()),
            (Reach.OWN, (MINE, TAKING_PART)),
            (Reach.QUEUE, (MINE, TAKING_PART, UNASSIGNED_IN_TEAM)),
            (Reach.TEAM, (MINE, TAKING_PART, UNASSIGNED_IN_TEAM, OTHERS_IN_TEAM)),
            (Reach.ALL, EVERYTHING),
        ],
    )
    def test_each_reach_goes_as_far_as_it_says(self, reach, within):
        given = policy(bound(), roles=(replace(WRITER, cells={"send:text": reach}),))

        allowed = [r for r in self.EVERYTHING if ask(given, resource=r).allowed]

        assert allowed == list(within)

    def test_a_thing_nobody_owns_knows_only_none_and_all(self):
        narrow = replace(WRITER, cells={"template:read": Reach.TEAM})

        decision = ask(policy(bound(), roles=(narrow,)), permission="template:read")

        assert decision.reason == Reason.PERMISSION_MISSING


class TestConditions:
    @pytest.mark.parametrize(
        ("window", "weekday", "minute", "is_open"),
        [
            (OFFICE_HOURS, 0, 9 * 60 - 1, False),
            (OFFICE_HOURS, 0, 9 * 60, True),
            (OFFICE_HOURS, 4, 18 * 60 - 1, True),
            (OFFICE_HOURS, 4, 18 * 60, False),
            (OFFICE_HOURS, 5, 12 * 60, False),
            (NIGHT_SHIFT, 4, 21 * 60 + 59, False),
            (NIGHT_SHIFT, 4, 22 * 60, True),
            (NIGHT_SHIFT, 5, 5 * 60 + 59, True),
            (NIGHT_SHIFT, 5, 6 * 60, False),
            (NIGHT_SHIFT, 4, 5 * 60, False),
            (NIGHT_SHIFT, 5, 22 * 60, False),
            (replace(NIGHT_SHIFT, days=frozenset({6})), 0, 60, True),
            (Hours(frozenset({2}), 0, 1440), 2, 1439, True),
            (Hours(frozenset({2}), 600, 600), 3, 599, True),
            (Hours(frozenset({2}), 600, 600), 3, 600, False),
        ],
    )
    def test_a_window_is_open_from_its_start_until_its_end(self, window, weekday, minute, is_open):
        given = policy(bound(conditions=Conditions(hours=(window,))))

        decision = ask(given, context=replace(MONDAY_NOON, weekday=weekday, minute=minute))

        assert decision.allowed == is_open
        assert is_open or decision.reason == Reason.OUTSIDE_HOURS

    @pytest.mark.parametrize(
        ("networks", "address", "inside"),
        [
            (("10.0.0.0/8",), "10.255.255.255", True),
            (("10.0.0.0/8",), "11.0.0.0", False),
            (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
            (("10.0.0.0/8",), "::ffff:a00:1", True),
            (("10.0.0.0/8",), "::10.0.0.1", False),
            (("::ffff:10.0.0.0/104",), "10.0.0.1", True),
            (("::ffff:0:0/96",), "192.0.2.1", True),
            (("192.0.2.7",), "192.0.2.7", True),
            (("192.0.2.7",), "192.0.2.8", False),
            (("2001:db8::/32",), "2001:db8:ffff::1", True),
            (("2001:db8::/32",), "2001:db9::1", False),
            (("::/0",), "2001:db8::1", True),
            (("::/0",), "10.0.0.1", False),
            (("::/0",), "::ffff:10.0.0.1", False),
            (("0.0.0.0/0",), "2001:db8::1", False),
            (("10.1.2.3/8",), "10.1.2.3", False),
            (("10.0.0.0/33", "nonsense", ""), "10.0.0.1", False),
            (("nonsense", "10.0.0.0/8"), "10.0.0.1", True),
            ((), "10.0.0.1", False),
            (("0.0.0.0/0", "::/0"), None, False),
            (("0.0.0.0/0", "::/0"), "nonsense", False),
            (("0.0.0.0/0", "::/0"), "010.0.0.1", False),
            (("0.0.0.0/0", "::/0"), "10.0.0.1 ", False),
        ],
    )
    def test_an_address_is_inside_its_networks_only(self, networks, address, inside):
        given = policy(bound(conditions=Conditions(networks=networks)))

        decision = ask(given, context=replace(MONDAY_NOON, address=address))

        assert decision.allowed == inside
        assert inside or decision.reason == Reason.OUTSIDE_NETWORK

    @pytest.mark.parametrize(
        ("age", "fresh"), [(0, True), (300, True), (301, False), (None, False)]
    )
    def test_a_second_factor_stays_fresh_for_as_long_as_it_says(self, age, fresh):
        given = policy(bound(conditions=Conditions(fresh_factor_s=300)))
        factor_at = None if age is None else MONDAY_NOON.now - age

        decision = ask(given, context=replace(MONDAY_NOON, factor_at=factor_at))

        assert decision.allowed == fresh
        assert fresh or decision.reason == Reason.FACTOR_NEEDED

    @pytest.mark.parametrize(
        ("seconds", "stands"), [(-1, False), (0, True), (59, True), (60, False)]
    )
    def test_r07_a_binding_stands_from_its_beginning_until_just_before_its_end(
        self, seconds, stands
    ):
        begins = MONDAY_NOON.now
        given = policy(bound(since=begins, until=begins + 60))

        decision = ask(given, context=replace(MONDAY_NOON, now=begins + seconds))

        assert decision.allowed == stands
        assert stands or decision.reason == Reason.BINDING_EXPIRED


class TestReasons:
    def test_the_binding_that_misses_least_gives_the_reason(self):
        far = bound("b1", scope=Scope(numbers=frozenset({"soporte"}), countries=frozenset({"MX"})))
        near = bound("b2", conditions=Conditions(fresh_factor_s=60))

        assert ask(policy(far, near)).reason == Reason.FACTOR_NEEDED

    def test_of_equal_misses_scope_comes_first_and_dates_last(self):
        expired = bound("b1", until=0.0)
        factor = bound("b2", conditions=Conditions(fresh_factor_s=60))
        network = bound("b3", conditions=Conditions(networks=("10.0.0.0/8",)))
        hours = bound("b4", conditions=Conditions(hours=()))
        scope = bound("b5", scope=Scope(numbers=frozenset({"soporte"})))

        assert ask(policy(expired, factor, network, hours, scope)).reason == Reason.OUTSIDE_SCOPE
        assert ask(policy(expired, factor, network, hours)).reason == Reason.OUTSIDE_HOURS
        assert ask(policy(expired, factor, network)).reason == Reason.OUTSIDE_NETWORK
        assert ask(policy(expired, factor)).reason == Reason.FACTOR_NEEDED
        assert ask(policy(expired)).reason == Reason.BINDING_EXPIRED


class TestOwners:
    def test_an_owner_holds_every_permission_everywhere(self):
        decision = ask(policy(), "ana", permission="role:update", resource=Resource("role"))

        assert decision.effect is Effect.ALLOW
        assert decision.because == (OWNERSHIP,)

    def test_guardrails_bite_owners_too(self):
        closed = Guardrail("g1", "Closed", GuardrailKind.DENY, frozenset({"send:*"}))

        assert ask(policy(guardrails=(closed,)), "ana").because == ("g1",)

    @pytest.mark.parametrize("kind", [PrincipalKind.SERVICE_ACCOUNT, PrincipalKind.TEAM])
    def test_only_a_person_can_be_an_owner(self, kind):
        cast = (Principal("bot", kind, "Bot", owner=True),)

        assert ask(policy(cast=cast), "bot").reason == Reason.PERMISSION_MISSING


class TestCredentials:
    BOUND = bound(principal="bot")
    READER = Role("reader", "Reader", {"template:read": Reach.ALL})

    def ask(self, key, resource=VENTAS, permission="send:text", principal="bot"):
        given = policy(self.BOUND, roles=(WRITER, self.READER), credentials=(key,))
        return ask(given, principal, permission, resource, credential="k1")

    def test_a_key_may_all_that_its_account_may(self):
        assert self.ask(Credential("k1", "bot")).because == ("b1",)

    def test_k04_a_key_never_adds_to_its_account(self):
        generous = Role("generous", "Generous", {"send:image": Reach.ALL})
        given = policy(
            self.BOUND, roles=(WRITER, generous), credentials=(Credential("k1", "bot", "generous"),)
        )

        assert not ask(given, "bot", "send:image", credential="k1").allowed

    def test_k04_a_key_narrows_by_role_and_scope(self):
        by_role = Credential("k1", "bot", role="reader")
        by_scope = Credential("k1", "bot", scope=ONLY_VENTAS)

        assert self.ask(by_role).reason == Reason.PERMISSION_MISSING
        assert self.ask(by_role, permission="template:read").allowed
        assert self.ask(by_scope).allowed
        assert self.ask(by_scope, resource=SOPORTE).reason == Reason.OUTSIDE_SCOPE

    def test_a_key_to_a_role_that_is_gone_may_nothing(self):
        assert self.ask(Credential("k1", "bot", role="gone")).reason == Reason.PERMISSION_MISSING

    @pytest.mark.parametrize(("seconds", "valid"), [(1, True), (0, False), (-1, False)])
    def test_a_key_is_valid_until_just_before_its_end(self, seconds, valid):
        decision = self.ask(Credential("k1", "bot", until=MONDAY_NOON.now + seconds))

        assert decision.allowed == valid
        assert valid or decision.reason == Reason.CREDENTIAL_EXPIRED

    def test_a_key_that_is_revoked_unknown_or_anothers_opens_nothing(self):
        assert self.ask(Credential("k1", "bot", active=False)).reason == Reason.CREDENTIAL_INACTIVE
        assert self.ask(Credential("k2", "bot")).reason == Reason.CREDENTIAL_INACTIVE
        assert (
            self.ask(Credential("k1", "bot"), principal="ana").reason == Reason.CREDENTIAL_INACTIVE
        )


class TestGuardrails:
    def deny(self, **more):
        return Guardrail("g1", "No", GuardrailKind.DENY, frozenset({"send:text"}), **more)

    def ask(self, guardrail, resource=VENTAS, context=MONDAY_NOON, **more):
        return ask(
            policy(bound(), guardrails=(guardrail,)), resource=resource, context=context, **more
        )

    def test_a_guardrail_denies_and_is_named_as_evidence(self):
        decision = self.ask(self.deny())

        assert decision.reason == Reason.BLOCKED_BY_GUARDRAIL
        assert decision.because == ("g1",)

    @pytest.mark.parametrize(
        ("pattern", "covered"),
        [("send:*", True), ("send:text", True), ("send:image", False), ("*", False), ("s*", False)],
    )
    def test_a_guardrail_covers_its_permissions_and_whole_resources(self, pattern, covered):
        guardrail = replace(self.deny(), permissions=frozenset({pattern}))

        assert self.ask(guardrail).allowed != covered

    def test_a_guardrail_bites_inside_its_scope_and_where_it_cannot_tell(self):
        guardrail = self.deny(scope=ONLY_VENTAS)

        assert not self.ask(guardrail, VENTAS).allowed
        assert self.ask(guardrail, SOPORTE).allowed
        assert not self.ask(guardrail, Resource("number")).allowed

    def test_no_labels_is_knowledge_and_unknown_labels_are_not(self):
        guardrail = self.deny(scope=Scope(labels=frozenset({"vip"})))

        assert self.ask(guardrail, replace(VENTAS, labels=frozenset())).allowed
        assert not self.ask(guardrail, replace(VENTAS, labels=frozenset({"vip"}))).allowed
        assert not self.ask(guardrail, replace(VENTAS, labels=None)).allowed

    def test_a_guardrail_that_is_nowhere_bites_nothing(self):
        guardrail = self.deny(scope=Scope(numbers=frozenset()))

        assert self.ask(guardrail, Resource("number")).allowed

    def test_a_guardrail_made_for_some_bites_them_and_the_members_of_their_teams(self):
        for name, bitten in (("beto", True), ("team_soporte", True), ("carla", False)):
            guardrail = self.deny(principals=frozenset({name}))
            assert self.ask(guardrail).allowed != bitten

    @pytest.mark.parametrize(
        ("contents", "allowed"), [("template", True), ("free_form", False), (None, False)]
    )
    def test_templates_only_lets_nothing_else_pass(self, contents, allowed):
        guardrail = replace(self.deny(), kind=GuardrailKind.TEMPLATES_ONLY)

        assert self.ask(guardrail, replace(VENTAS, contents=contents)).allowed == allowed

    @pytest.mark.parametrize(
        "kind",
        [GuardrailKind.NETWORKS, GuardrailKind.HOURS, GuardrailKind.REQUIRE_FRESH_FACTOR],
    )
    def test_a_guardrail_without_its_parameter_denies(self, kind):
        context = replace(MONDAY_NOON, address="10.0.0.1", factor_at=MONDAY_NOON.now)

        assert not self.ask(replace(self.deny(), kind=kind), context=context).allowed

    @pytest.mark.parametrize(
        "guardrail",
        [
            Guardrail(
                "g1", "", GuardrailKind.NETWORKS, frozenset({"send:*"}), networks=("10.0.0.0/8",)
            ),
            Guardrail("g1", "", GuardrailKind.HOURS, frozenset({"send:*"}), hours=(OFFICE_HOURS,)),
            Guardrail(
                "g1",
                "",
                GuardrailKind.REQUIRE_FRESH_FACTOR,
                frozenset({"send:*"}),
                fresh_factor_s=300,
            ),
        ],
        ids=lambda guardrail: guardrail.kind,
    )
    def test_a_conditional_guardrail_denies_unless_its_condition_holds(self, guardrail):
        good = replace(MONDAY_NOON, address="10.0.0.1", factor_at=MONDAY_NOON.now)
        bad = replace(MONDAY_NOON, address="192.0.2.1", minute=0, factor_at=None)

        assert self.ask(guardrail, context=good).allowed
        assert self.ask(guardrail, context=bad).because == ("g1",)

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (GuardrailKind.REQUIRE_WINDOW, "window"),
            (GuardrailKind.REQUIRE_CONSENT, "consent"),
            (GuardrailKind.REQUIRE_SECOND_PERSON, "second_person"),
        ],
    )
    def test_a_requirement_comes_along_with_the_allow(self, kind, name):
        decision = self.ask(replace(self.deny(), kind=kind))

        assert decision.effect is Effect.ALLOW
        assert decision.obligations == (Obligation(ObligationKind.REQUIRE, name, "g1"),)

    @pytest.mark.parametrize(
        ("audience", "asked"), [(None, True), (0, False), (1000, False), (1001, True)]
    )
    def test_a_second_person_is_asked_for_large_or_unknown_audiences(self, audience, asked):
        guardrail = replace(self.deny(), kind=GuardrailKind.REQUIRE_SECOND_PERSON, threshold=1000)

        decision = self.ask(guardrail, replace(VENTAS, audience=audience))

        assert bool(decision.obligations) == asked

    def test_a_refusal_carries_no_obligation(self):
        window = Guardrail("g2", "", GuardrailKind.REQUIRE_WINDOW, frozenset({"send:*"}))
        given = policy(bound(), guardrails=(self.deny(), window))

        assert ask(given).obligations == ()


class TestLimits:
    LIMITS = (
        Limit("of-key", HolderKind.KEY, "k1", Metric.REQUESTS, Per.SECOND, 1),
        Limit("of-bot", HolderKind.PRINCIPAL, "bot", Metric.MESSAGES, Per.DAY, 5),
        Limit("of-binding", HolderKind.BINDING, "b1", Metric.MESSAGES, Per.DAY, 5),
        Limit("of-all", HolderKind.WORKSPACE, "", Metric.MONEY, Per.DAY, 5),
        Limit("of-other", HolderKind.PRINCIPAL, "beto", Metric.MESSAGES, Per.DAY, 5),
        Limit(
            "of-media",
            HolderKind.WORKSPACE,
            "",
            Metric.REQUESTS,
            Per.DAY,
            5,
            frozenset({"media:*"}),
        ),
    )

    def taken(self, principal="bot", credential="k1", **more):
        given = policy(
            bound(principal="bot"),
            bound("b2", principal="team_soporte"),
            limits=more.get("limits", self.LIMITS),
            credentials=(Credential("k1", "bot"),),
        )
        decision = ask(given, principal, credential=credential)
        assert {obligation.kind for obligation in decision.obligations} <= {ObligationKind.TAKE}
        return [obligation.name for obligation in decision.obligations]

    def test_every_limit_of_whoever_and_whatever_allowed_is_taken(self):
        assert self.taken() == ["of-all", "of-binding", "of-bot", "of-key"]

    def test_limits_of_others_are_left_alone(self):
        assert self.taken("beto", credential=None) == ["of-all", "of-other"]

    def test_a_limit_of_a_team_is_taken_by_its_members(self):
        limit = Limit("t", HolderKind.PRINCIPAL, "team_soporte", Metric.MESSAGES, Per.DAY, 5)

        assert self.taken("beto", credential=None, limits=(limit,)) == ["t"]
