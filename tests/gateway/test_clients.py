"""Unmodified client libraries, only their base URL set, work through the gateway."""

import io
from collections.abc import Iterator

import pytest
from facebook_business.adobjects.whatsappbusinessaccount import WhatsAppBusinessAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.session import FacebookSession
from heyoo import WhatsApp as Heyoo
from pywa import WhatsApp, types
from pywa.types.others import Pagination
from pywa.types.templates import TemplateLanguage

from gateway.house import LUCIA, SOPORTE, VENTAS, WABA, House, Key

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360"
    "6060f80f00010401005fe5c34b0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def key(house: House) -> Key:
    return house.workspace.key(url_compatible=True, name="all")


@pytest.fixture
def pywa(house: House, key: Key) -> Iterator[WhatsApp]:
    made = WhatsApp(phone_id=VENTAS, token=key.text, waba_id=WABA)
    made.api._session.base_url = f"{house.gateway.url}/v26.0"
    yield made
    made.api._session.close()


@pytest.fixture
def heyoo(house: House, key: Key) -> Heyoo:
    made = Heyoo(token=key.text, phone_number_id=VENTAS)
    made.base_url = f"{house.gateway.url}/v14.0"
    made.v15_base_url = f"{house.gateway.url}/v15.0"
    made.url = f"{made.base_url}/{VENTAS}/messages"
    return made


@pytest.fixture
def account(house: House, key: Key) -> Iterator[WhatsAppBusinessAccount]:
    before = FacebookSession.GRAPH
    FacebookSession.GRAPH = house.gateway.url
    api = FacebookAdsApi.init(access_token=key.text, app_secret="not-ours", api_version="v26.0")
    yield WhatsAppBusinessAccount(WABA, api=api)
    api._session.requests.close()
    FacebookSession.GRAPH = before


def inbound(house: House, number: str = VENTAS) -> str:
    told = house.sandbox.control(
        "inbound",
        {"phone_number_id": number, "from": LUCIA, "type": "text", "text": {"body": "¿hola?"}},
    )
    assert told["delivered"], told
    message_id: str = told["message_id"]
    return message_id


def test_pywa_sends_a_text(pywa: WhatsApp) -> None:
    assert pywa.send_message(to=LUCIA, text="hola").id.startswith("wamid.")


def test_pywa_sends_a_template(pywa: WhatsApp) -> None:
    sent = pywa.send_template(
        to=LUCIA, name="order_update", language=TemplateLanguage.SPANISH_MEX, params=[]
    )

    assert sent.id.startswith("wamid.")


def test_pywa_sends_buttons(pywa: WhatsApp) -> None:
    buttons = [types.Button(title="Sí", callback_data="yes"), types.Button("No", "no")]

    assert pywa.send_message(to=LUCIA, text="¿Lo quiere?", buttons=buttons).id


def test_pywa_uploads_an_image_sends_it_and_reads_it_back(pywa: WhatsApp) -> None:
    media = pywa.upload_media(media=io.BytesIO(PNG), mime_type="image/png", filename="foto.png")

    assert pywa.send_image(to=LUCIA, image=media.id, caption="foto").id
    read = pywa.get_media_url(media_id=media.id)
    assert pywa.get_media_bytes(url=read.url) == PNG
    assert pywa.delete_media(media_id=media.id)


def test_pywa_marks_a_message_as_read_and_types(pywa: WhatsApp, house: House) -> None:
    message_id = inbound(house)

    assert pywa.mark_message_as_read(message_id=message_id)
    assert pywa.indicate_typing(message_id=message_id)


def test_pywa_replies_to_and_reacts_to_a_message(pywa: WhatsApp, house: House) -> None:
    message_id = inbound(house)

    assert pywa.send_message(to=LUCIA, text="sí", reply_to_message_id=message_id).id
    assert pywa.send_reaction(to=LUCIA, emoji="👍", message_id=message_id).id


def test_pywa_lists_templates_with_paging(pywa: WhatsApp) -> None:
    names: set[str] = set()
    after: str | None = None
    while True:
        page = pywa.get_templates(pagination=Pagination(limit=2, after=after))
        names |= {template.name for template in page}
        after = page.after
        if not page.has_next:
            break

    assert names == {"order_update", "hello_world", "summer_sale", "slow_news", "too_loud"}
    assert page.total_count == 5


def test_pywa_reads_numbers_and_the_profile(pywa: WhatsApp) -> None:
    assert {n.id for n in pywa.get_business_phone_numbers()} == {VENTAS, SOPORTE}
    assert pywa.get_business_phone_number().id == VENTAS
    assert pywa.get_business_profile() is not None
    assert pywa.update_business_profile(about="Abierto")


# heyoo leaves the file it uploads open.
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_heyoo_sends_what_it_can(heyoo: Heyoo, house: House, tmp_path) -> None:
    file = tmp_path / "foto.png"
    file.write_bytes(PNG)

    assert "messages" in heyoo.send_message("hola", LUCIA)
    assert "messages" in heyoo.send_template("order_update", LUCIA, components=[], lang="es_MX")
    media = heyoo.upload_media(media=str(file))
    assert "messages" in heyoo.send_image(image=media["id"], recipient_id=LUCIA, link=False)
    buttons = {
        "type": "button",
        "body": {"text": "¿Sí?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Sí"}}]},
    }
    assert "messages" in heyoo.send_reply_button(recipient_id=LUCIA, button=buttons)
    assert heyoo.mark_as_read(inbound(house)) == {"success": True}
    url = heyoo.query_media_url(media["id"])
    assert url is not None
    assert heyoo.download_media(url, "image/png", str(tmp_path / "got")) is not None


def test_facebook_business_lists_templates_with_paging(account: WhatsAppBusinessAccount) -> None:
    names = {t["name"] for t in account.get_message_templates(params={"limit": 2})}

    assert names == {"order_update", "hello_world", "summer_sale", "slow_news", "too_loud"}


def test_facebook_business_lists_numbers_and_sends(
    account: WhatsAppBusinessAccount, house: House, key: Key
) -> None:
    assert {n["id"] for n in account.get_phone_numbers()} == {VENTAS, SOPORTE}

    api = account.get_api_assured()
    sent = api.call(
        "POST",
        (VENTAS, "messages"),
        params={
            "messaging_product": "whatsapp",
            "to": LUCIA,
            "type": "text",
            "text": {"body": "hola"},
        },
    )
    assert sent.json()["messages"][0]["id"].startswith("wamid.")
