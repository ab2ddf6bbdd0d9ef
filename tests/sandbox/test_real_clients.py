"""Client libraries as their users install them, pointed at the emulator and nothing else changed."""

from collections.abc import Iterator
from pathlib import Path

import heyoo
import httpx
import pytest
import pywa
from facebook_business.adobjects.whatsappbusinessaccount import WhatsAppBusinessAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession
from pywa import errors
from pywa.types import Button, Section, SectionList, SectionRow
from pywa.types.others import Pagination
from pywa.types.templates import TemplateLanguage

from sandbox.harness import APP, CUSTOMER, NUMBER, OTHER_NUMBER, SECRET, TOKEN, WABA, Running

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def wa(sandbox: Running) -> Iterator[pywa.WhatsApp]:
    with httpx.Client() as session:
        client = pywa.WhatsApp(phone_id=NUMBER, token=TOKEN, waba_id=WABA, session=session)
        session.base_url = f"{sandbox.url}/v26.0"
        yield client


@pytest.fixture
def graph(sandbox: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[FacebookAdsApi]:
    monkeypatch.setattr(FacebookSession, "GRAPH", sandbox.url)
    api = FacebookAdsApi.init(APP, SECRET, TOKEN, crash_log=False)
    yield api
    api._session.requests.close()


@pytest.fixture
def messenger(sandbox: Running) -> heyoo.WhatsApp:
    client = heyoo.WhatsApp(TOKEN, phone_number_id=NUMBER)
    client.base_url = f"{sandbox.url}/v14.0"
    client.v15_base_url = f"{sandbox.url}/v15.0"
    client.url = f"{sandbox.url}/v14.0/{NUMBER}/messages"
    return client


def test_pywa_sends_text_and_reads_the_message_id(wa: pywa.WhatsApp, sandbox: Running) -> None:
    sent = wa.send_message(to=CUSTOMER, text="hola")

    assert sent.id == sandbox.hooks.statuses(1)[0]["id"]


def test_pywa_sends_buttons_and_lists(wa: pywa.WhatsApp) -> None:
    rows = SectionRow(title="Uno", callback_data="1"), SectionRow(title="Dos", callback_data="2")

    buttons = wa.send_message(to=CUSTOMER, text="¿Sí?", buttons=[Button("Sí", "yes")])
    choice = wa.send_message(
        to=CUSTOMER, text="Elige", buttons=SectionList("Ver", [Section("Opciones", rows)])
    )

    assert buttons.id.startswith("wamid.")
    assert choice.id.startswith("wamid.")


def test_pywa_uploads_an_image_sends_it_and_reads_it_back(
    wa: pywa.WhatsApp, sandbox: Running
) -> None:
    media = wa.upload_media(PNG, mime_type="image/png", filename="a.png")

    sent = wa.send_image(to=CUSTOMER, image=media.id)

    assert sent.id.startswith("wamid.")
    assert wa.get_media_bytes(url=wa.get_media_url(media.id).url) == PNG
    assert wa.delete_media(media.id)


def test_pywa_sends_a_template_and_hears_that_one_is_missing(wa: pywa.WhatsApp) -> None:
    sent = wa.send_template(to=CUSTOMER, name="plain", language=TemplateLanguage.SPANISH_MEX)

    assert sent.id.startswith("wamid.")
    with pytest.raises(errors.TemplateNotExists):
        wa.send_template(to=CUSTOMER, name="none", language=TemplateLanguage.SPANISH_MEX)


def test_pywa_marks_a_customers_message_as_read_and_shows_typing(
    wa: pywa.WhatsApp, sandbox: Running
) -> None:
    message = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "text", "text": {"body": "a"}}
    message_id = sandbox.control("inbound", message)["message_id"]

    assert wa.mark_message_as_read(message_id=message_id)
    assert wa.indicate_typing(message_id=message_id)


def test_pywa_pages_through_the_templates_by_cursor(wa: pywa.WhatsApp) -> None:
    names: list[str] = []
    after: str | None = None

    for _ in range(4):
        page = wa.get_templates(pagination=Pagination(limit=3, after=after))
        names += [template.name for template in page]
        after = page.after
        if not page.has_next:
            break

    assert len(names) == page.total_count == 7
    assert {"plain", "order", "rejected"} <= set(names)


def test_pywa_follows_the_next_link_of_the_numbers(wa: pywa.WhatsApp) -> None:
    first = wa.get_business_phone_numbers(pagination=Pagination(limit=1))

    assert [number.verified_name for number in first.all()] == ["Ventas", "Soporte"]


def test_pywa_reads_number_account_profile_and_settings(wa: pywa.WhatsApp) -> None:
    wa.update_business_profile(about="Tienda", description="Zapatos")

    assert wa.get_business_phone_number().verified_name == "Ventas"
    assert wa.get_business_account().currency == "MXN"
    assert wa.get_business_profile().about == "Tienda"
    assert wa.get_business_phone_number_settings() is not None
    assert {number.id for number in wa.get_business_phone_numbers()} == {NUMBER, OTHER_NUMBER}


def test_pywa_redirects_webhooks_of_account_and_number(wa: pywa.WhatsApp, sandbox: Running) -> None:
    wa.override_waba_callback_url(sandbox.hooks.url + "/account", verify_token="verify-me")
    wa.override_phone_callback_url(sandbox.hooks.url + "/number", verify_token="verify-me")

    wa.send_message(to=CUSTOMER, text="hola")

    assert sandbox.hooks.wait(1)[0]["path"] == "/webhook/number"


def test_pywa_creates_and_publishes_a_flow(wa: pywa.WhatsApp) -> None:
    created = wa.create_flow(
        name="Cita", categories=["OTHER"], flow_json='{"version": "7.0", "screens": [{"id": "A"}]}'
    )

    wa.publish_flow(created.id)

    assert wa.get_flow(created.id).status == "PUBLISHED"


def test_pywa_blocks_and_lists_customers(wa: pywa.WhatsApp) -> None:
    blocked = wa.block_users([CUSTOMER])

    assert [user.wa_id for user in blocked.added_users] == [CUSTOMER]
    assert [user.wa_id for user in wa.get_blocked_users()] == [CUSTOMER]


def test_pywa_makes_and_deletes_a_qr_code(wa: pywa.WhatsApp) -> None:
    made = wa.create_qr_code("Quiero comprar")

    assert [code.code for code in wa.get_qr_codes()] == [made.code]
    assert wa.delete_qr_code(made.code)


def test_heyoo_sends_text_template_buttons_and_marks_as_read(
    messenger: heyoo.WhatsApp, sandbox: Running
) -> None:
    inbound = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "text", "text": {"body": "a"}}
    received = sandbox.control("inbound", inbound)["message_id"]
    button = {
        "header": "Hola",
        "body": "¿Qué tal?",
        "footer": "Tienda",
        "action": {
            "button": "Ver",
            "sections": [{"title": "Uno", "rows": [{"id": "1", "title": "A"}]}],
        },
    }

    answers = [
        messenger.send_message("hola", CUSTOMER),
        messenger.send_template("plain", CUSTOMER, components=[], lang="es_MX"),
        messenger.send_button(button, CUSTOMER),
        messenger.send_location("10.5", "20.5", "Casa", "Calle 1", CUSTOMER),
    ]

    assert all(answer["messages"][0]["id"].startswith("wamid.") for answer in answers)
    assert messenger.mark_as_read(received) == {"success": True}


# heyoo itself leaves the uploaded file open
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_heyoo_uploads_an_image_sends_it_and_reads_it_back(
    messenger: heyoo.WhatsApp, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(PNG)

    media_id = messenger.upload_media(str(picture))["id"]
    sent = messenger.send_image(media_id, CUSTOMER, link=False)
    url = messenger.query_media_url(media_id)
    saved = messenger.download_media(url, "image/png", str(tmp_path / "b"))

    assert sent["messages"]
    assert Path(saved).read_bytes() == PNG


def test_heyoo_prints_the_error_and_gives_it_back(messenger: heyoo.WhatsApp) -> None:
    answer = messenger.send_template("none", CUSTOMER, components=[], lang="es_MX")

    assert answer["error"]["code"] == 132001


def test_facebook_business_pages_through_templates_with_its_proof(graph: FacebookAdsApi) -> None:
    account = WhatsAppBusinessAccount(WABA, api=graph)

    cursor = account.get_message_templates(params={"limit": 3})

    assert len(list(cursor)) == 7


def test_facebook_business_reads_the_account_and_its_numbers(graph: FacebookAdsApi) -> None:
    account = WhatsAppBusinessAccount(WABA, api=graph)

    read = account.api_get(fields=["name", "currency", "owner_business_info"])
    numbers = account.get_phone_numbers()

    assert (read["name"], read["currency"]) == ("Test Account", "MXN")
    assert [number["verified_name"] for number in numbers] == ["Ventas", "Soporte"]


def test_facebook_business_creates_a_template_with_form_fields(graph: FacebookAdsApi) -> None:
    account = WhatsAppBusinessAccount(WABA, api=graph)

    created = account.create_message_template(
        params={
            "name": "nueva",
            "language": "es_MX",
            "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Hola, tu pedido va en camino."}],
        }
    )

    assert created["status"] == "PENDING"


def test_facebook_business_sends_a_message_with_form_fields(
    graph: FacebookAdsApi, sandbox: Running
) -> None:
    answer = graph.call(
        "POST",
        (NUMBER, "messages"),
        params={
            "messaging_product": "whatsapp",
            "to": CUSTOMER,
            "type": "text",
            "text": {"body": "hola"},
        },
    )

    assert answer.json()["messages"][0]["id"] == sandbox.hooks.statuses(1)[0]["id"]


def test_facebook_business_batches_calls_and_hears_each_answer(graph: FacebookAdsApi) -> None:
    good: list[str] = []
    bad: list[int] = []
    batch = graph.new_batch()
    batch.add(
        "GET", (NUMBER,), {"fields": "verified_name"}, success=lambda r: good.append(r.json())
    )
    batch.add("GET", ("999",), failure=lambda r: bad.append(r.error().api_error_code()))

    batch.execute()

    assert good == [{"verified_name": "Ventas", "id": NUMBER}]
    assert bad == [100]


def test_facebook_business_raises_what_the_error_says(graph: FacebookAdsApi) -> None:
    with pytest.raises(FacebookRequestError) as caught:
        WhatsAppBusinessAccount("999", api=graph).api_get(fields=["name"])

    assert (caught.value.api_error_code(), caught.value.api_error_subcode()) == (100, 33)
