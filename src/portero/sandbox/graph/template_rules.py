"""What Meta accepts as a template's definition, and how it complains about the rest."""

import re
from typing import Any

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.graph import checks
from portero.sandbox.objects import CATEGORIES, Json
from portero.sandbox.reading import required

VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,4})?")
_HEADER_FORMATS = ("TEXT", "IMAGE", "VIDEO", "GIF", "DOCUMENT", "LOCATION", "PRODUCT")
_MEDIA_FORMATS = ("IMAGE", "VIDEO", "GIF", "DOCUMENT")
_BUTTONS_MAX = {"QUICK_REPLY": 10, "URL": 2, "PHONE_NUMBER": 1, "COPY_CODE": 1, "OTP": 1}
_ALL_BUTTONS_MAX, _LABEL_MAX, _URL_MAX = 10, 25, 2000
_HEADER_MAX, _BODY_MAX, _FOOTER_MAX = 60, 1024, 60
_WORDS_PER_VARIABLE = 3  # Meta publishes no figure; fewer words than this a variable are refused

_TITLES = {
    2388024: "Content in This Language Already Exists",
    2388023: "Message Template Language is Being Deleted",
    2388040: "Character Limit Exceeded",
    2388043: "Missing Expected Fields",
    2388047: "Header Format Incorrect",
    2388072: "Body Format Incorrect",
    2388073: "Footer Format Incorrect",
    2388293: "Parameters Words Ratio Exceeds Limit",
    2388299: "Leading or Trailing Params Not Allowed",
    2593002: "Message Template Not Found",
}


def refused(subcode: int, text: str) -> GraphError:
    """The form template errors have: code 100, what is wrong in the subcode and user texts."""
    return GraphError(
        http=400,
        code=100,
        message="Invalid parameter",
        subcode=subcode,
        user_title=_TITLES[subcode],
        user_msg=text,
    )


def check_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        details = "Param name must be at most 512 lower case letters, digits and underscores"
        raise meta_error(100, details=details)
    return name


def check_language(language: object) -> str:
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise meta_error(100, details="Param language must be one of the supported language codes")
    return language


def check_category(category: object) -> str:
    if category not in CATEGORIES:
        raise meta_error(100, details=f"Param category must be one of {{{', '.join(CATEGORIES)}}}")
    return str(category)


def check_components(components: Any, category: str, parameter_format: str) -> list[Json]:
    """The components as they are stored. Raises `GraphError`."""
    stored = [
        dict(checks.an_object(item, "components"))
        for item in checks.a_list(components, "components")
    ]
    kinds = [str(component.get("type", "")).upper() for component in stored]
    if "BODY" not in kinds:
        raise refused(2388072, "A template needs one body.")
    for kind, component in zip(kinds, stored, strict=True):
        component["type"] = kind
        if kind == "HEADER":
            _check_header(component)
        elif kind == "BODY":
            _check_body(component, category, parameter_format)
        elif kind == "FOOTER":
            _check_footer(component, category)
        elif kind == "BUTTONS":
            _check_buttons(component)
    return stored


def _check_header(header: Json) -> None:
    shape = str(header.get("format", "TEXT")).upper()
    header["format"] = shape
    if shape not in _HEADER_FORMATS:
        raise refused(2388047, f"{shape} is not a header format.")
    if shape in _MEDIA_FORMATS and not _example(header, "header_handle"):
        raise refused(2388043, f"A {shape} header needs example.header_handle.")
    if shape != "TEXT":
        return
    text = str(header.get("text", ""))
    if not 0 < len(text) <= _HEADER_MAX or len(VARIABLE.findall(text)) > 1:
        raise refused(2388047, "A text header has up to 60 characters and one variable.")
    if VARIABLE.search(text) and not _example(header, "header_text", "header_text_named_params"):
        raise refused(2388043, "A header with a variable needs an example.")


def _check_body(body: Json, category: str, parameter_format: str) -> None:
    if category == "AUTHENTICATION":
        body["text"] = "*{{1}}* is your verification code."
        if body.get("add_security_recommendation"):
            body["text"] += " For your security, do not share this code."
        return
    text = str(body.get("text", ""))
    if not text.strip():
        raise refused(2388072, "The body has no text.")
    if len(text) > _BODY_MAX:
        raise refused(2388040, f"The body has at most {_BODY_MAX} characters.")
    variables = VARIABLE.findall(text)
    if variables:
        _check_variables(text, variables, parameter_format)
        if not _example(body, "body_text", "body_text_named_params"):
            raise refused(2388043, "A body with variables needs an example.")


def _check_variables(text: str, variables: list[str], parameter_format: str) -> None:
    distinct = list(dict.fromkeys(variables))
    if parameter_format == "POSITIONAL":
        wanted = [str(n) for n in range(1, len(distinct) + 1)]
        if sorted(distinct) != sorted(wanted):
            raise refused(2388072, "Variables are numbered from {{1}} without gaps.")
    elif any(name.isdigit() or not name.islower() for name in distinct):
        raise refused(2388072, "Named variables are lower case words.")
    stripped = text.strip()
    if VARIABLE.match(stripped) or stripped.endswith("}}"):
        raise refused(2388299, "Variables can't be at the start or end of the template.")
    words = VARIABLE.sub(" ", text).split()
    if len(words) < _WORDS_PER_VARIABLE * len(distinct) - 1:
        raise refused(2388293, "There are too many variables for the length of the body.")


def _check_footer(footer: Json, category: str) -> None:
    if category == "AUTHENTICATION":
        return
    text = str(footer.get("text", ""))
    if not 0 < len(text) <= _FOOTER_MAX or VARIABLE.search(text):
        raise refused(2388073, "A footer has up to 60 characters and no variables.")


def _check_buttons(component: Json) -> None:
    buttons = checks.a_list(component.get("buttons"), "buttons")
    checks.a_length(buttons, "buttons", low=1, high=_ALL_BUTTONS_MAX)
    kinds = [_check_button(checks.an_object(button, "buttons")) for button in buttons]
    for kind, high in _BUTTONS_MAX.items():
        if kinds.count(kind) > high:
            raise checks.invalid(f"A template has at most {high} buttons of type {kind}")
    changes = sum(a != b for a, b in zip(_quick(kinds), _quick(kinds)[1:], strict=False))
    if changes > 1:
        raise checks.invalid("Quick replies must stand together")


def _quick(kinds: list[str]) -> list[bool]:
    return [kind == "QUICK_REPLY" for kind in kinds]


def _check_button(button: Json) -> str:
    kind = str(button.get("type", "")).upper()
    button["type"] = kind
    if kind in ("QUICK_REPLY", "URL", "PHONE_NUMBER"):
        checks.a_text(button, "text", "buttons", high=_LABEL_MAX)
    if kind == "PHONE_NUMBER":
        checks.a_text(button, "phone_number", "buttons", high=20)
    if kind == "COPY_CODE" and not button.get("example"):
        raise required("example")
    if kind == "URL":
        url = checks.a_text(button, "url", "buttons", high=_URL_MAX)
        if VARIABLE.search(url) and not (url.endswith("}}") and button.get("example")):
            raise refused(2388043, "A URL has one variable, at its end, with an example.")
    return kind


def _example(component: Json, *names: str) -> bool:
    example = component.get("example")
    return isinstance(example, dict) and any(example.get(name) for name in names)
