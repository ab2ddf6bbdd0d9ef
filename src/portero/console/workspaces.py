"""One person, several workspaces: which they are in."""

from __future__ import annotations

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portero.console import visits
from portero.console.answers import done
from portero.console.forms import Form


class Choice(Form):
    workspace = forms.UUIDField()


def workspaces(request: HttpRequest) -> HttpResponse:
    """Choose the workspace to be in. In each of them somebody has the rights they have there."""
    if request.method != "POST":
        context = {
            "found": visits.workspaces(request),
            "signed_out_of": visits.signed_out_of(request),
        }
        return render(request, "console/workspaces.html", context)
    form = Choice(request.POST)
    if not form.is_valid():
        raise BadRequest("no workspace")
    chosen = form.cleaned_data["workspace"]
    membership = visits.membership(request)
    if membership is not None and membership.workspace == chosen:
        return redirect("console:home")
    if not visits.enter(request, chosen):
        raise Http404
    name = next(one.workspace_name for one in visits.workspaces(request) if one.workspace == chosen)
    return done(request, _("You are in %(name)s now.") % {"name": name}, "console:home")
