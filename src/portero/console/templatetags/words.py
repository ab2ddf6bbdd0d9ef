"""The engine's own things in the reader's words: `{{ cell.reach|reach_word }}`."""

from __future__ import annotations

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.formats import number_format

from portero.console import controls, labels

register = template.Library()
register.filter("reach_word", labels.of_reach)
register.filter("risk_word", labels.of_risk)
register.filter("role_name", labels.of_role)


@register.filter
def in_fours(code: str) -> str:
    """A code to be copied by hand; the spaces do not count."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))


@register.filter
def grouped(count: int) -> str:
    """A number with its thousands apart."""
    return number_format(count, force_grouping=True)


@register.simple_tag(takes_context=True)
def control(
    context: Context,
    route: str,
    *arguments: object,
    label: str,
    about: str = "",
    css: str = "btn",
    query: str = "",
    hint: str = "",
) -> str:
    """A link to a door: open, or shut with the way to ask for it."""
    found = controls.control(context["request"], route, arguments)
    if found is None:
        return ""
    shown = {
        "control": found,
        "label": label,
        "about": about,
        "css": css,
        "query": query,
        "hint": hint,
    }
    return render_to_string("console/_control.html", shown)
