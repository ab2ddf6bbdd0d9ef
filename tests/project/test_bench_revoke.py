"""`portero bench revoke` measures what it says; how fast it is says the page, not a test."""

from portero.project.bench import revoke
from portero.project.bench.report import as_markdown


def test_revocations_are_measured_from_both_doors_and_nothing_is_sent_after_them() -> None:
    report = revoke.run(rounds=1, quick=True, progress=lambda _: None)

    [(_, results)] = report.sections
    assert results.missing == {}
    assert set(results.figures) == {revoke.SERVICE, revoke.DOOR}
    for figures in results.figures.values():
        assert all(figure.median > 0 for figure in figures.values())
    sent_after = [goal for goal in report.goals if "begun after it" in goal.claim]
    assert [goal.measured for goal in sent_after] == [0, 0]
    assert all(goal.measured is not None for goal in report.goals)
    assert "lone commit" in as_markdown(report)
