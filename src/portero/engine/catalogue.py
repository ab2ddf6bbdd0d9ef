"""Every permission there is: one table, from which screens, documentation and the API are drawn.

A permission is here because a door enforces it. `resource:action`, snake_case words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType

from portero.engine.policy import Scope


class Risk(StrEnum):
    """How much harm a permission can do in the wrong hands."""

    ROUTINE = "routine"
    SENSITIVE = "sensitive"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class PermissionSpec:
    """A permission as people and machines read it."""

    key: str
    sentence: str
    """What it lets somebody do, in the imperative: "Send text messages"."""
    group: str
    risk: Risk
    personal: bool
    """Whether using it shows personal data of customers."""
    ownable: bool
    """Whether what it acts on has an owner, so that reaches below `all` mean something."""
    places: frozenset[str]
    """The fields of `Scope` in which a request for it can have anything at all."""
    example: str

    def can_be_in(self, scope: Scope) -> bool:
        """Whether a scope lets any request for it pass: one that narrows another field lets none."""
        return scope.narrowed <= self.places


_RISKS = {".": Risk.ROUTINE, "!": Risk.SENSITIVE, "!!": Risk.CRITICAL}
_PLACES: Mapping[str, frozenset[str]] = {
    "w": frozenset({"wabas"}),
    "n": frozenset({"numbers"}),
    "t": frozenset({"template_sets"}),
    "c": frozenset({"countries"}),
    "*": frozenset(field.name for field in fields(Scope)),
    "-": frozenset(),
}

# A heading in brackets opens a group. A line is: key, risk (. routine, ! sensitive, !! critical),
# flags (p: shows personal data, o: has an owner, -: neither), where its requests can be (w: of a
# WhatsApp account, n: of a number, t: of template sets, c: to a country, *: wherever a scope says,
# -: of the workspace itself), sentence, example. What has an owner is of that one's team besides.
_TABLE = """
[Sending]
send:text | . | o | wnc | Send text messages | "Your order left our warehouse this morning."
send:image | . | o | wnc | Send images | A photo of the jacket in blue.
send:video | . | o | wnc | Send videos | A ten-second clip of how to assemble the shelf.
send:audio | . | o | wnc | Send audio files | A recorded announcement.
send:voice | . | o | wnc | Send voice notes | A spoken answer from the shop.
send:document | . | o | wnc | Send documents | The invoice as a PDF.
send:sticker | . | o | wnc | Send stickers | A thank-you sticker.
send:location | . | o | wnc | Send a location | Where the pick-up point is.
send:contacts | ! | po | wnc | Send contact cards | The card of the delivery company.
send:reaction | . | o | wnc | React to messages with an emoji | A thumbs-up on the customer's photo.
send:interactive_buttons | . | o | wnc | Send messages with reply buttons | "Shall we deliver today?" Yes / No.
send:interactive_list | . | o | wnc | Send messages with a list to choose from | Choose one of eight time slots.
send:interactive_cta | . | o | wnc | Send messages with a link button | "See your order", opening the shop.
send:interactive_flow | . | o | wnc | Send flows, forms inside WhatsApp | A form to book an appointment.
send:interactive_location_request | ! | po | wnc | Ask customers for their location | "Where are you?" for the courier.
send:interactive_address | ! | po | wnc | Ask customers for their address | A delivery address form.
send:interactive_carousel | . | o | wnc | Send carousels of cards | Four jackets side by side.
send:interactive_call | . | o | wnc | Send a button with which customers call | "Call us" under an answer.
send:interactive_call_permission | ! | o | wnc | Ask customers whether they may be called | "May we call you about this?"
send:interactive_contact_request | ! | po | wnc | Ask customers to share their phone number | From a customer known by username.
send:product | . | o | wnc | Send products from the catalogue | One jacket, or a list of twelve.
send:order | ! | o | wnc | Send orders and requests for payment | Review and pay order 1042.
send:template | . | o | wntc | Send approved templates | `order_update` to a customer.
send:typing_read | . | o | wn | Mark as read and show that somebody is typing | The blue ticks.
send:group | ! | o | wnt | Send to groups | A notice in the suppliers' group.

[Calls]
call:place | ! | o | wnc | Call customers | Call back about a complaint.
call:answer | . | o | wnc | Answer, reject and end calls | Pick up an incoming call.
call:read_permission | . | p | wnc | See whether a customer may be called | Before the call button is shown.

[Messages and media]
message:read_history | ! | p | wn | Read the delivery history of past messages | When was the invoice delivered?
media:upload | . | - | wn | Upload media files | The photo that will be sent.
media:read | ! | p | wn | Open media files that were sent or received | The photo of a broken zip.
media:delete | ! | - | wn | Delete media files | An invoice sent by mistake.

[Templates]
template:read | . | - | wt | See message templates | The list with its review states.
template:create | ! | - | wt | Create message templates | A new `order_update`.
template:update | ! | - | wt | Edit, pause and unpause message templates | Correct a typing error.
template:archive | ! | - | wt | Archive message templates and bring them back | Last summer's sale.
template:delete | !! | - | wt | Delete message templates | The name is unusable for 30 days.
template:migrate | ! | - | wt | Copy templates from another WhatsApp account | When a shop changes account.
template:use_utility | . | - | wntc | Send templates of the utility category | An order is on its way.
template:use_marketing | ! | - | wntc | Send templates of the marketing category | "Twenty per cent off today."
template:use_authentication | ! | - | wntc | Send templates of the authentication category | A one-time code.
template:read_analytics | . | - | wt | See how templates perform | Sent, delivered, read and clicked.

[Numbers]
number:read | . | - | wn | See business numbers and their state | Quality, tier and display name.
number:add | !! | - | w | Add a business number | The number of a new branch.
number:verify | !! | - | wn | Verify a number with a code | The code that came by SMS.
number:register | !! | - | wn | Register a number for sending | First use, or after a move.
number:deregister | !! | - | wn | Take a number out of service | Before it moves elsewhere.
number:set_pin | !! | - | wn | Set the two-step PIN of a number | Six new digits.
number:update_name | !! | - | wn | Change the display name of a number | "Tienda Andina Ventas".
number:read_profile | . | - | wn | See the business profile | About, address, websites.
number:update_profile | ! | - | wn | Edit the business profile | New opening address.
number:read_settings | . | - | wn | See the settings of a number | Calling hours, data storage.
number:update_settings | !! | - | wn | Change the settings of a number | Turn calling on.
number:read_username | . | - | wn | See the username of a number | @tiendaandina
number:manage_username | !! | - | wn | Choose and give up the username of a number | Claim @tiendaandina.
number:read_official | . | - | wn | See the state of the official-account request | Pending since Monday.
number:request_official | !! | - | wn | Ask for the official account mark | The blue tick beside the name.
number:read_compliance | ! | p | wn | See the compliance contacts of a number | The grievance officer in India.
number:update_compliance | !! | p | wn | Change the compliance contacts of a number | A new grievance officer.
number:read_preverified | . | - | w | See pre-verified numbers | Numbers ready to be given out.
number:manage_preverified | !! | - | w | Create, verify, share and delete pre-verified numbers | For a partner.
number:sync_app_data | !! | p | wn | Bring over chats and contacts of the WhatsApp Business app | Once, on moving.

[WhatsApp account]
waba:read | . | - | w | See the WhatsApp account and its state | Name, currency, health.
waba:update | !! | - | w | Change the WhatsApp account | Time zone, insights.
waba:read_activity | ! | - | w | Read Meta's activity log of the account | Who changed what at Meta.
waba:read_meta_users | ! | - | w | See the people that Meta lets into the account | Names and tasks.
waba:manage_meta_users | !! | - | w | Let people into the account at Meta, or out | Give a task to a system user.
waba:read_solutions | . | - | w | See partners' solutions on the account | Which partner manages it.
waba:manage_solutions | !! | - | w | Accept, move and end partners' solutions | Move to another partner.
waba:read_payment_setup | ! | - | w | See how customers pay in WhatsApp | The configured payment gateways.
waba:manage_payment_setup | !! | - | w | Change how customers pay in WhatsApp | A new payment gateway.
waba:read_schedules | . | - | w | See scheduled jobs of the account | What Meta will run tonight.
waba:manage_schedules | ! | - | w | Create and change scheduled jobs of the account | A reminder on Friday.
business:read | . | - | - | See the business portfolio | Name and verification.
business:read_credit | ! | - | - | See the portfolio's credit lines | Who pays Meta's invoice.
business:onboard_marketing | !! | - | - | Onboard businesses to marketing messages | For a partner's customers.
app:read | . | - | - | See the Meta app | Its name and partners.

[Flows]
flow:read | . | - | w | See flows and their files | The appointment form.
flow:create | ! | - | w | Create flows | A new survey.
flow:update | ! | - | w | Edit flows | A new question.
flow:publish | ! | - | w | Publish flows | From draft to live.
flow:deprecate | ! | - | w | Retire flows | Last year's survey.
flow:delete | ! | - | w | Delete draft flows | A draft nobody needs.
flow:migrate | ! | - | w | Copy flows from another WhatsApp account | When a shop changes account.

[Groups]
group:read | ! | p | wn | See groups and who is in them | The suppliers' group.
group:create | ! | - | wn | Create groups | A group for a delivery.
group:update | . | - | wn | Change a group's subject, description and picture | A new subject.
group:delete | ! | - | wn | Delete groups for everybody | After the event.
group:manage_participants | ! | p | wnc | Invite, admit and remove participants | Admit a join request.

[Number tools]
block_list:read | ! | p | wn | See blocked customers | Who wrote abuse.
block_list:manage | ! | p | wnc | Block and unblock customers | Somebody who wrote abuse.
qr_code:read | . | - | wn | See QR codes and short links | The code on the shop window.
qr_code:manage | . | - | wn | Create, change and delete QR codes | A code for a flyer.
catalog:read | . | - | wn | See the catalogue's settings | Is the cart shown?
catalog:manage | ! | - | wn | Change the catalogue and its settings | Connect another catalogue.
automation:read | . | - | wn | See greetings, prompts and commands | The ice breakers.
automation:update | ! | - | wn | Change greetings, prompts and commands | A new ice breaker.
encryption:read | . | - | wn | See the public key of flows | To compare its signature.
encryption:update | !! | - | wn | Replace the public key of flows | When a key is rotated.
webhook:read_subscription | ! | - | wn | See where Meta sends events | The callback address.
webhook:redirect | !! | - | wn | Change where Meta sends events | Whoever may, can read every message.

[Reports]
report:read_delivery | . | - | w | See how many messages were sent and delivered | Per day and country.
report:read_cost | ! | - | wt | See what messages cost | Per day and category.

[Access]
member:read | . | - | - | See who is here and what they may do | Who may answer on *Soporte*?
member:invite | !! | - | - | Invite people | Three colleagues for the sale.
member:suspend | !! | - | - | Suspend people, let them back and remove them | Whoever left the company.
member:reset_factor | !! | - | - | Let somebody who lost their second factor make a new one | The phone fell into the sea.
access_request:approve | !! | - | - | Decide what people ask access for | Beto needs the log for a day.
role:read | . | - | - | See the roles and what they give | What does an agent have?
role:update | !! | - | - | Create and change roles | Give *Support* the right to react.
role:assign | !! | - | * | Give roles to people, teams and service accounts | Ana becomes an agent.
guardrail:update | !! | - | - | Create and change guardrails | "Exports need a second factor."
limit:update | ! | - | - | Create and change limits | 500 messages a day for a bot.
team:manage_members | ! | - | - | Add people to teams and remove them | Beto joins *Soporte*.
service_account:create | !! | - | - | Create service accounts | One for the order system.
service_account:disable | ! | - | - | Disable service accounts | The order system was retired.
api_key:read | . | - | - | See keys and what they may do, never their secrets | Which keys has the order system?
api_key:create | !! | - | - | Create keys of service accounts | A key for the order system.
api_key:revoke | ! | - | - | Revoke keys | A key found in a log file.
access:explain | ! | - | - | Ask why anybody may do something, and who can | Why can Beto not send this?
member:view_as | !! | - | - | See the console as a role or a person, without changing anything | What does a new agent see?
audit:read | ! | p | - | Read what was done and refused | Who sent the invoice yesterday?
credential:update | !! | - | - | Replace the credential with which Meta is called | Every 60 days.
"""


def _read(table: str) -> Iterator[PermissionSpec]:
    group = ""
    for line in filter(None, table.splitlines()):
        if line.startswith("["):
            group = line.strip("[]")
            continue
        key, risk, flags, places, sentence, example = line.split(" | ")
        is_ownable = "o" in flags
        yield PermissionSpec(
            key,
            sentence,
            group,
            _RISKS[risk],
            personal="p" in flags,
            ownable=is_ownable,
            places=frozenset({"teams"} if is_ownable else ()).union(
                *(_PLACES[one] for one in places)
            ),
            example=example,
        )


PERMISSIONS: Mapping[str, PermissionSpec] = MappingProxyType(
    {spec.key: spec for spec in _read(_TABLE)}
)


ENTER_CONSOLE, ENTER_GATEWAY = "console:enter", "gateway:enter"
ENTRIES: Mapping[str, PermissionSpec] = MappingProxyType(
    {
        spec.key: spec
        for spec in _read(
            f"""
[Coming in]
{ENTER_CONSOLE} | ! | - | - | Come in as a person | Beto opens the console in the morning.
{ENTER_GATEWAY} | ! | - | - | Call through the gateway | The order system sends a message.
"""
        )
    }
)
"""What no role gives and every active person, or every service account, may do. A guardrail on it
holds for all they do: who may not come in may do nothing inside."""


def spec_of(key: str) -> PermissionSpec:
    """A permission's, or an entry's. Raises KeyError."""
    return PERMISSIONS.get(key) or ENTRIES[key]


def covers(pattern: str, permission: str) -> bool:
    """Whether `pattern`, a key or `resource:*`, covers `permission`."""
    return pattern == permission or pattern == permission.partition(":")[0] + ":*"
