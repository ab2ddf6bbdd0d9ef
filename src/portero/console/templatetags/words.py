"""The engine's own things in the reader's words: `{{ cell.reach|reach_word }}`."""

from __future__ import annotations

from django import template

from portero.console import labels

register = template.Library()
register.filter("reach_word", labels.of_reach)
register.filter("risk_word", labels.of_risk)
