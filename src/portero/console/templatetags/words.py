"""The engine's own things in the reader's words: `{{ cell.reach|reach_word }}`."""

from __future__ import annotations

from django import template
from django.utils.formats import number_format

from portero.console import labels

register = template.Library()
register.filter("reach_word", labels.of_reach)
register.filter("risk_word", labels.of_risk)


@register.filter
def grouped(count: int) -> str:
    """A number with its thousands apart."""
    return number_format(count, force_grouping=True)
