"""Sending a template: it must exist, be usable, and get exactly the parameters it asks for."""

from typing import Any

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.graph import checks
from portero.sandbox.graph.attachments import check_attachment
from portero.sandbox.graph.template_rules import VARIABLE
from portero.sandbox.objects import Json, Template
from portero.sandbox.world import World

_MEDIA_FORMATS = ("IMAGE", "VIDEO", "DOCUMENT")
_TEXT_LIKE = ("text", "currency", "date_time")
_SUSPENDED = {"PAUSED": 132015, "DISABLED": 132016}


def check_template(world: World, waba_id: str, params: Json) -> Template:
    """The template a send names, with its parameters checked. Raises `GraphError`."""
    source = checks.an_object(params.get("template"), "template")
    template = _find(world, waba_id, source)
    sent = _sent_components(source)
    for component in template.components:
        kind = str(component.get("type", "")).upper()
        if kind == "HEADER":
            _check_header(world, template, component, sent)
        elif kind == "BODY":
            _check_text("body", template, str(component.get("text", "")), sent.get("body", []))
        elif kind == "BUTTONS":
            _check_buttons(component.get("buttons", []), sent)
    return template


def _find(world: World, waba_id: str, source: Json) -> Template:
    name = checks.a_text(source, "name", "template", high=512)
    language = checks.an_object(source.get("language"), "template['language']")
    code = checks.a_text(language, "code", "template['language']", high=32)
    template = world.template_named(waba_id, name, code)
    if template is not None and template.status in _SUSPENDED:
        raise meta_error(_SUSPENDED[template.status], details=f"template {name} ({code})")
    if template is None or template.status != "APPROVED":
        raise meta_error(132001, details=f"template name ({name}) does not exist in {code}")
    return template


def _sent_components(source: Json) -> dict[str, list[Any]]:
    """Parameters by place: "header", "body", "button:<index>"."""
    places: dict[str, list[Any]] = {}
    for position, component in enumerate(checks.a_list(source.get("components", []), "components")):
        name = f"template['components'][{position}]"
        kind = checks.a_text(checks.an_object(component, name), "type", name, high=32).lower()
        place = f"button:{component.get('index')}" if kind == "button" else kind
        places[place] = checks.a_list(component.get("parameters", []), f"{name}['parameters']")
    return places


def _check_header(
    world: World, template: Template, component: Json, sent: dict[str, list[Any]]
) -> None:
    shape = str(component.get("format", "TEXT")).upper()
    parameters = sent.get("header", [])
    if shape == "TEXT":
        _check_text("header", template, str(component.get("text", "")), parameters)
    elif shape in _MEDIA_FORMATS:
        wanted = shape.lower()
        name = "header['parameters'][0]"
        parameter = checks.an_object(parameters[0], name) if parameters else {"type": "UNKNOWN"}
        given = str(parameter.get("type", ""))
        if given.lower() != wanted:
            details = f"header: Format mismatch, expected {shape}, received {given.upper()}"
            raise meta_error(132012, details=details)
        media = checks.an_object(parameter.get(wanted), wanted)
        check_attachment(world, media, wanted)


def _check_text(place: str, template: Template, text: str, parameters: list[Any]) -> None:
    wanted = list(dict.fromkeys(VARIABLE.findall(text)))
    if len(parameters) != len(wanted):
        details = (
            f"{place}: number of localizable_params ({len(parameters)}) does not match "
            f"the expected number of params ({len(wanted)})"
        )
        raise meta_error(132000, details=details)
    for position, parameter in enumerate(parameters):
        _check_parameter(f"{place}['parameters'][{position}]", parameter)
    if template.parameter_format == "NAMED":
        _check_names(place, wanted, parameters)


def _check_parameter(name: str, parameter: Any) -> None:
    kind = checks.an_object(parameter, name).get("type")
    if kind not in _TEXT_LIKE:
        raise meta_error(132012, details=f"{name}: expected a text parameter, received {kind}")
    if kind == "text" and not parameter.get("text"):
        details = "Parameter 'text' is mandatory for component parameter type 'text'"
        raise meta_error(131008, details=details)


def _check_names(place: str, wanted: list[str], parameters: list[Any]) -> None:
    given = [parameter.get("parameter_name") for parameter in parameters]
    if not all(given):
        raise meta_error(131008, details=f"{place}: Parameter name is missing or empty")
    if not all(isinstance(name, str) for name in given):
        raise meta_error(100, message=f"(#100) Param {place}['parameter_name'] must be a string.")
    if set(given) != set(wanted):
        details = f"{place}: parameters {sorted(given)} do not match {sorted(wanted)}"
        raise meta_error(132018, details=details)


def _check_buttons(buttons: list[Json], sent: dict[str, list[Any]]) -> None:
    for index, button in enumerate(buttons):
        wanted = _button_parameter(button)
        if wanted is None:
            continue
        kind, member = wanted
        parameters = sent.get(f"button:{index}", [])
        if not parameters or not checks.an_object(parameters[0], "parameter").get(member):
            raise _button_lacks(index, kind, member)


def _button_parameter(button: Json) -> tuple[str, str] | None:
    """What a button asks of the sender: its kind and the member that must be there."""
    kind = str(button.get("type", "")).upper()
    if kind == "OTP" or (kind == "URL" and VARIABLE.search(str(button.get("url", "")))):
        return "url", "text"
    if kind == "COPY_CODE":
        return "copy_code", "coupon_code"
    return None


def _button_lacks(index: int, kind: str, member: str) -> GraphError:
    details = (
        f"buttons: Button at index {index} of type {kind} requires a non-empty parameter {member}"
    )
    return meta_error(131008, details=details)
