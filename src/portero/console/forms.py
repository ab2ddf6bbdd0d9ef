"""Forms of the console: Django's, which take nothing that they did not ask for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from typing_extensions import override

_ALWAYS = {"csrfmiddlewaretoken"}
_PLAIN = (
    forms.TextInput,
    forms.EmailInput,
    forms.Textarea,
    forms.Select,
    forms.DateTimeInput,
    forms.NumberInput,
)


def sent_again(request: HttpRequest, *, but: Collection[str] = ()) -> list[tuple[str, str]]:
    """What was posted, to be posted once more by whoever has seen what it does.

    Left out is what that page asks anew: the reason, and what it names itself (`but`).
    """
    left_out = {*_ALWAYS, "reason", "back", *but}
    return [
        (name, str(value))
        for name, values in request.POST.lists()
        if name not in left_out
        for value in values
    ]


class WholeNumber(forms.IntegerField):
    """A count as people write it: 1000, 1.000, 1,000 and 1 000 are one number, and 1.5 is none.

    Django's own reads 1.000 as one.
    """

    @override
    def to_python(self, value: Any) -> int | None:
        written = str(value if value is not None else "").strip()
        if re.fullmatch(r"[0-9]{1,3}([.,\s'][0-9]{3})+", written):
            written = re.sub(r"[^0-9]", "", written)
        if re.fullmatch(r"[0-9]{19,}", written):
            raise ValidationError(_("This number is too large."), code="too_large")
        if written and not re.fullmatch(r"[+-]?[0-9]{1,18}", written):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        found: int | None = super().to_python(written)
        return found


class Form(forms.Form):
    """A form whose controls look like ours.

    Raises BadRequest for a field it does not have: a client that sends one believes it can set what
    it cannot.
    """

    def __init__(
        self,
        *args: Any,
        more_fields: Mapping[str, forms.Field] | None = None,
        without: Iterable[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(more_fields or {})
        for name in without:
            del self.fields[name]
        for field in self.fields.values():
            if isinstance(field.widget, _PLAIN) and not isinstance(field.widget, forms.RadioSelect):
                field.widget.attrs.setdefault("class", "input")
        if self.is_bound:
            self._require_known_fields()

    def offer(self, name: str, choices: Iterable[Any]) -> None:
        """Say what there is to choose from in a field of this form: known only by whoever asks."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as the form declares it
        field.choices = list(choices)

    def _require_known_fields(self) -> None:
        known = {field.html_name for field in self}
        if unknown := sorted(set(self.data) - known - _ALWAYS):
            raise BadRequest(f"no field of this form: {', '.join(unknown)[:200]}")
