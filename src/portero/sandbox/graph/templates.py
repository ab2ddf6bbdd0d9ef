"""Templates of an account: list, create, edit, delete, and the review they go through."""

import asyncio
import copy
from dataclasses import replace
from functools import partial

from portero.graphapi.errors import meta_error
from portero.sandbox.calls import SUCCESS, Call
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.graph import authentication, checks
from portero.sandbox.graph import template_rules as rules
from portero.sandbox.graph.errors import unknown_object
from portero.sandbox.graph.health import health_of
from portero.sandbox.graph.nodes import Shown
from portero.sandbox.graph.paging import paged
from portero.sandbox.objects import Json, Template, Waba
from portero.sandbox.reading import required
from portero.sandbox.world import World

TEMPLATE_LIMIT = 6_000

_DAY_S = 24 * 3600
# What Meta adds to some events; how many pauses came before is not kept.
_EVENT_INFO: dict[str, Json] = {
    "PAUSED": {
        "other_info": {
            "title": "FIRST_PAUSE",
            "description": "The template was paused for 3 hours for its low quality.",
        }
    },
    "REJECTED": {"rejection_info": {"reason": "The format is not valid.", "recommendation": ""}},
}
_EDITABLE = ("APPROVED", "REJECTED", "PAUSED")
_KEPT_INFO = ("message_send_ttl_seconds", "cta_url_link_tracking_opted_out", "sub_category")
_PER_HOUR = 100
_DELETE_AT_ONCE_MAX = 100


def _values(call: Call, template: Template) -> Json:
    optional = (
        "sub_category",
        "previous_category",
        "correct_category",
        "library_template_name",
        "message_send_ttl_seconds",
        "cta_url_link_tracking_opted_out",
        "degrees_of_freedom_spec",
        "display_format",
        "specific_rejection_reason",
        "specific_rejection_reasons",
        "rejection_reasons",
        "creative_sourcing_spec",
        "is_primary_device_delivery_only",
    )
    return {key: template.info.get(key) for key in optional} | {
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "parameter_format": template.parameter_format,
        "components": template.components,
        "quality_score": {"score": template.quality, "date": template.updated_at},
        "rejected_reason": template.rejected_reason,
        "last_updated_time": template.updated_at,
        "health_status": health_of(call.world, template.waba_id, subject=template),
    }


SHOWN = Shown(
    type_name="WhatsAppMessageTemplate",
    values=_values,
    defaults=("name", "parameter_format", "components", "language", "status", "category"),
)


def read_template(call: Call, template: Template) -> Json:
    return SHOWN.render(call, template, call.request.params.get("fields"))


def list_templates(call: Call, waba: Waba) -> Json:
    """Filtered and paged; `summary` in any form adds the counts."""
    fields = call.request.params.get("fields")
    every = call.world.templates_of(waba.id)
    chosen = [template for template in every if _passes(call, template)]
    page = paged(
        call,
        chosen,
        key=lambda template: template.id,
        show=lambda template: SHOWN.render(call, template, fields),
    )
    if "summary" in call.request.params:
        page["summary"] = {
            "total_count": len(chosen),
            "message_template_count": len(every),
            "message_template_limit": TEMPLATE_LIMIT,
            "are_translations_complete": False,
        }
    return page


def _passes(call: Call, template: Template) -> bool:
    request = call.request
    exact = {
        "status": template.status,
        "category": template.category,
        "language": template.language,
        "quality_score": template.quality,
    }
    for name, value in exact.items():
        wanted = [str(item).lower() for item in request.listed(name)]
        if wanted and value.lower() not in wanted:
            return False
    content = " ".join(str(item.get("text", "")) for item in template.components).lower()
    parts = {
        "name": template.name,
        "content": content,
        "name_or_content": f"{template.name} {content}",
    }
    return all((request.text(name) or "").lower() in value for name, value in parts.items())


def create_template(call: Call, waba: Waba) -> Json:
    """A new template, pending until reviewed."""
    params = call.request.params
    template = new_template(call, waba, params, rules.check_language(params.get("language")))
    return {"id": template.id, "status": template.status, "category": template.category}


def new_template(call: Call, waba: Waba, params: Json, language: str) -> Template:
    """Check a definition, store it, send it to review. Raises `GraphError`."""
    name = rules.check_name(params.get("name"))
    category = rules.check_category(params.get("category"))
    shape = str(params.get("parameter_format", "POSITIONAL")).upper()
    components = rules.check_components(params.get("components"), category, shape)
    _check_free(call, waba, name, language)
    template = Template(
        id=call.world.new_id(),
        waba_id=waba.id,
        name=name,
        language=language,
        category=category,
        status="PENDING",
        components=components,
        parameter_format=shape,
        info={key: params[key] for key in _KEPT_INFO if key in params},
        updated_at=int(call.now),
    )
    call.world.templates[template.id] = template
    call.world.creations[waba.id].append(call.now)
    _send_to_review(call, template)
    return template


def _check_free(call: Call, waba: Waba, name: str, language: str) -> None:
    """Name and language are free, and the account has room."""
    world = call.world
    if world.template_named(waba.id, name, language):
        raise rules.refused(2388024, f"There is already {language} content for {name}.")
    deleted_at = world.deleted_names.get((waba.id, name, language))
    if deleted_at is not None and call.now - deleted_at < 30 * _DAY_S:
        raise rules.refused(2388023, f"{name} is being deleted. Try again in 4 weeks.")
    if len(world.templates_of(waba.id)) >= TEMPLATE_LIMIT:
        raise meta_error(2388019)
    if sum(call.now - at < 3600 for at in world.creations[waba.id]) >= _PER_HOUR:
        raise meta_error(80008, details="Too many templates were created within an hour")


def upsert_templates(call: Call, waba: Waba) -> Json:
    """One authentication template in several languages."""
    params = call.request.params
    answers: list[Json] = []
    for language in checks.a_list(params.get("languages"), "languages"):
        code = rules.check_language(language)
        existing = call.world.template_named(waba.id, str(params.get("name")), code)
        template = existing or new_template(call, waba, params, code)
        if existing:
            _replace(call, existing, params)
        answers.append({"id": template.id, "language": code, "status": template.status})
    return {"data": answers}


def migrate_templates(call: Call, waba: Waba) -> Json:
    """Copies of another account's approved templates; what cannot be copied says why."""
    world, source_id = call.world, call.request.needed("source_waba_id")
    source = world.wabas.get(source_id)
    if source is None or call.token is None or not authentication.reaches(call.token, source):
        raise unknown_object(call.request.method, source_id)
    wanted = [str(item) for item in call.request.listed("template_ids")]
    theirs = [item for item in world.templates_of(source_id) if item.status == "APPROVED"]
    migrated: list[str] = []
    failed = dict.fromkeys(wanted, "The template cannot be migrated")
    for template in theirs:
        if wanted and template.id not in wanted:
            continue
        if world.template_named(waba.id, template.name, template.language):
            failed[template.id] = "A template of that name and language exists"
            continue
        failed.pop(template.id, None)
        new_id = world.new_id()
        world.templates[new_id] = replace(
            template,
            id=new_id,
            waba_id=waba.id,
            components=copy.deepcopy(template.components),
            info=dict(template.info),
            edited_at=[],
            updated_at=int(call.now),
        )
        migrated.append(new_id)
    return {"migrated_templates": migrated, "failed_templates": failed}


def edit_template(call: Call, template: Template) -> Json:
    """Change contents or category, and go back to review."""
    if template.status not in _EDITABLE:
        raise meta_error(100, details=f"A template that is {template.status} cannot be edited")
    counts = template.status == "APPROVED"
    if counts:
        _check_edit(call, template)
    _replace(call, template, call.request.params)
    if counts:
        template.edited_at.append(call.now)
    return SUCCESS | {"id": template.id, "name": template.name, "category": template.category}


def _check_edit(call: Call, template: Template) -> None:
    """Approved templates: once a day, ten times in thirty days, and never their category."""
    wanted = call.request.params.get("category", template.category)
    if wanted != template.category:
        raise meta_error(100, details="The category of an approved template cannot be edited")
    ages = [call.now - at for at in template.edited_at]
    if any(age < _DAY_S for age in ages) or sum(age < 30 * _DAY_S for age in ages) >= 10:
        raise meta_error(100, details="The template was edited too often")


def _replace(call: Call, template: Template, params: Json) -> None:
    category = rules.check_category(params.get("category", template.category))
    if "components" in params:
        shape = str(params.get("parameter_format", template.parameter_format)).upper()
        template.components = rules.check_components(params["components"], category, shape)
        template.parameter_format = shape
    template.category = category
    template.info |= {key: params[key] for key in _KEPT_INFO if key in params}
    template.status, template.rejected_reason = "PENDING", "NONE"
    template.updated_at = int(call.now)
    _send_to_review(call, template)


def delete_templates(call: Call, waba: Waba) -> Json:
    """By name (all languages), by name and `hsm_id` (one), or by `hsm_ids`."""
    chosen = _chosen(call, waba)
    if not chosen:
        raise rules.refused(2593002, "Message template couldn't be found.")
    if any(template.status == "DISABLED" for template in chosen):
        raise meta_error(100, details="A disabled template cannot be deleted")
    for template in chosen:
        del call.world.templates[template.id]
        if template.status == "APPROVED":
            key = (waba.id, template.name, template.language)
            call.world.deleted_names[key] = call.now
    return SUCCESS


def _chosen(call: Call, waba: Waba) -> list[Template]:
    every = call.world.templates_of(waba.id)
    ids = [str(item) for item in call.request.listed("hsm_ids")]
    if ids:
        checks.a_length(ids, "hsm_ids", low=1, high=_DELETE_AT_ONCE_MAX)
        return [template for template in every if template.id in ids]
    name, template_id = call.request.needed("name"), call.request.text("hsm_id")
    named = [template for template in every if template.name == name]
    return [template for template in named if template_id in (None, template.id)]


def unpause_template(call: Call, template: Template) -> Json:
    if template.status != "PAUSED":
        return {"success": False, "reason": "The template is not paused"}
    template.status = "APPROVED"
    _tell_afterwards(call, template, "APPROVED")
    return SUCCESS


def archive_templates(call: Call, waba: Waba) -> Json:
    return _shelve(call, waba, "archived_templates", before="APPROVED", after="ARCHIVED")


def unarchive_templates(call: Call, waba: Waba) -> Json:
    return _shelve(call, waba, "unarchived_templates", before="ARCHIVED", after="APPROVED")


def _shelve(call: Call, waba: Waba, key: str, *, before: str, after: str) -> Json:
    """Move those that are in the status `before`; the others fail, each with its reason."""
    done, failed = [], {}
    for template_id in map(str, call.request.listed("hsm_ids")):
        template = call.world.templates.get(template_id)
        if template is None or template.waba_id != waba.id:
            failed[template_id] = "Message template couldn't be found."
        elif template.status != before:
            failed[template_id] = f"The message template is {template.status}, not {before}."
        else:
            template.status = after
            done.append(template_id)
    return {key: done, "failed_templates": failed}


def compare_templates(call: Call, template: Template) -> Json:
    """The three metrics of a comparison; nothing was blocked here."""
    others = [str(item) for item in call.request.listed("template_ids")]
    if not others:
        raise required("template_ids")
    ids = [template.id, *others]
    sends = [{"key": item, "value": 0} for item in ids]
    reasons = [{"key": item, "value": "UNKNOWN_BLOCK_REASON"} for item in ids]
    return {
        "data": [
            {
                "metric": "BLOCK_RATE",
                "type": "RELATIVE",
                "order_by_relative_metric": ids,
            },
            {"metric": "MESSAGE_SENDS", "type": "NUMBER_VALUES", "number_values": sends},
            {"metric": "TOP_BLOCK_REASON", "type": "STRING_VALUES", "string_values": reasons},
        ]
    }


def _send_to_review(call: Call, template: Template) -> None:
    if call.world.speed.review_s is not None:
        life = partial(_review, template, world=call.world, courier=call.courier)
        call.afterwards.append(lambda: call.courier.start(life()))


def _tell_afterwards(call: Call, template: Template, event: str) -> None:
    tell = partial(tell_status, template, event, world=call.world, courier=call.courier)
    call.afterwards.append(lambda: call.courier.start(tell()))


async def _review(template: Template, *, world: World, courier: Courier) -> None:
    """Approve, unless the name contains "reject"; silent when the template is gone by then."""
    await asyncio.sleep(world.speed.review_s or 0)
    if template.status != "PENDING" or template.id not in world.templates:
        return
    rejected = "reject" in template.name
    template.status = "REJECTED" if rejected else "APPROVED"
    template.rejected_reason = "INVALID_FORMAT" if rejected else "NONE"
    template.updated_at = int(world.clock())
    await tell_status(template, template.status, world=world, courier=courier)


async def tell_status(
    template: Template, event: str, *, world: World, courier: Courier
) -> Delivery:
    """Tell the subscriber what became of a template; `event` is a status, or a word of its own."""
    value: Json = {
        "event": event,
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "message_template_category": template.category,
        "reason": template.rejected_reason,
    } | _EVENT_INFO.get(event, {})
    waba = world.wabas[template.waba_id]
    return await courier.deliver("message_template_status_update", value, waba=waba)
