"""Meta's error codes: HTTP status, title, and whether a code normally arrives later by webhook.

HTTP statuses and titles follow Meta's error-codes page as of November 2025, completed by its
later edition of September 2026 (which no longer prints a status: those are 400 here).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One documented code. `asynchronous`: normally in `statuses[].errors` after a 200."""

    code: int
    http: int
    title: str
    asynchronous: bool = False


def _entries(
    rows: tuple[tuple[int, int, str], ...], *, asynchronous: bool
) -> dict[int, CatalogueEntry]:
    return {
        code: CatalogueEntry(code=code, http=http, title=title, asynchronous=asynchronous)
        for code, http, title in rows
    }


_IN_THE_ANSWER = (
    (0, 401, "AuthException"),
    (1, 400, "API Unknown"),
    (2, 503, "API Service"),
    (3, 500, "API Method"),
    (4, 400, "API Too Many Calls"),
    (10, 403, "Permission Denied"),
    (33, 400, "Parameter value is not valid"),
    (100, 400, "Invalid parameter"),
    (104, 400, "An access token is required to request this resource."),
    (190, 401, "Access token has expired"),
    (200, 403, "API Permission"),
    (368, 403, "Temporarily blocked for policies violations"),
    (613, 400, "Calls to this API have exceeded the rate limit"),
    (80007, 400, "Rate limit issues"),
    (80008, 400, "Rate limit issues"),
    (130403, 400, "Business has blocked this user"),
    (130429, 400, "Rate limit hit"),
    (130497, 403, "Business account is restricted from messaging users in this country"),
    (130501, 400, "Message type is not currently supported in groups"),
    (131000, 500, "Something went wrong"),
    (131005, 403, "Access denied"),
    (131008, 400, "Required parameter is missing"),
    (131009, 400, "Parameter value is not valid"),
    (131016, 500, "Service unavailable"),
    (131020, 400, "Group is unknown"),
    (131021, 400, "Recipient cannot be sender"),
    (131030, 400, "Recipient phone number not in allowed list"),
    (131031, 403, "Account has been locked"),
    (131035, 400, "Message cannot be delivered without storage"),
    (131036, 400, "Message cannot be redelivered without storage"),
    (
        131037,
        400,
        "WhatsApp provided number needs display name approval before message can be sent",
    ),
    (131041, 400, "Group operation failed"),
    (131045, 500, "Incorrect certificate"),
    (131055, 400, "Method not allowed"),
    (131056, 400, "(Business Account, Consumer Account) pair rate limit hit"),
    (131057, 500, "Account in maintenance mode"),
    (131059, 400, "Invalid pagination cursor"),
    (131062, 400, "Business-scoped user id recipients are not supported for this message"),
    (131063, 400, "Marketing templates are disabled on Cloud API for this account"),
    (131064, 400, "Sending limit after template misclassification"),
    (131201, 206, "Partial success"),
    (131202, 400, "Duplicate group participants"),
    (131203, 400, "Recipient cannot be added to the group"),
    (131204, 400, "Group participant limit exceeded"),
    (131207, 403, "Group is suspended"),
    (131208, 429, "Group rate limit hit"),
    (131209, 400, "Group profile picture is not valid"),
    (131210, 400, "Group cannot be created"),
    (131211, 400, "Group limit reached"),
    (131212, 400, "Group invite link is not valid"),
    (131213, 400, "Group join request is not valid"),
    (131214, 400, "Group settings cannot be changed"),
    (131215, 400, "Business is not eligible for groups"),
    (132000, 400, "Number of parameters does not match the expected number of params"),
    (132001, 404, "Template name does not exist in the translation"),
    (132005, 400, "Translated text too long"),
    (132007, 400, "Template format character policy violated"),
    (132008, 400, "Template parameter value is not valid"),
    (132012, 400, "Parameter format does not match format in the created template"),
    (132015, 400, "Template is paused"),
    (132016, 400, "Template is disabled"),
    (132018, 400, "There was a problem with the template parameters"),
    (132068, 400, "Flow is in blocked state"),
    (132069, 400, "Flow is in throttled state"),
    (133000, 500, "Incomplete deregistration"),
    (133004, 503, "Server temporarily unavailable"),
    (133005, 400, "Two step verification PIN mismatch"),
    (133006, 400, "Phone number re-verification needed"),
    (133008, 400, "Too many two step verification PIN guesses"),
    (133009, 400, "Two step verification PIN guessed too fast"),
    (133010, 400, "Phone number not registered"),
    (133015, 400, "Please wait a few minutes before attempting to register this phone number"),
    (133016, 400, "Account register deregister rate limit exceeded"),
    (134011, 400, "WhatsApp Payments terms of service has not been accepted"),
    (134100, 400, "Only marketing messages are supported"),
    (134101, 400, "Template is still syncing"),
    (134102, 500, "Template is unavailable for use"),
    (135000, 400, "Generic user error"),
    (136025, 400, "Verification code error"),
    (138000, 400, "Calling not enabled"),
    (138001, 400, "Receiver uncallable"),
    (138002, 400, "Concurrent calls limit"),
    (138003, 400, "Duplicate call"),
    (138004, 400, "Connection error"),
    (138005, 400, "Call rate limit exceeded"),
    (138006, 400, "No approved call permission found"),
    (138007, 400, "Connection timeout error"),
    (138009, 400, "Call permission request limit hit"),
    (138012, 400, "Business initiated daily call limit hit"),
    (138018, 400, "Calling cannot be enabled: prerequisites are missing"),
    (139000, 400, "Blocked by Integrity"),
    (139001, 400, "Flow can't be updated"),
    (139002, 400, "Flow can't be published"),
    (139003, 400, "Flow can't be deprecated"),
    (139004, 400, "Flow can't be deleted"),
    (139100, 400, "Failed to block or unblock some users"),
    (139101, 400, "Blocklist limit reached"),
    (139102, 400, "Blocklist concurrent update"),
    (139103, 400, "Internal error"),
    (147001, 400, "Username is not available"),
    (147002, 400, "Account is not eligible for a username"),
    (147003, 400, "Username requires Facebook account linking"),
    (147004, 400, "Username requires Instagram account linking"),
    (147005, 400, "Username transfer is required"),
    (1752041, 400, "Duplicate onboarding request"),
    (200005, 400, "Template insights are not available"),
    (200006, 400, "Template insights cannot be disabled"),
    (200007, 400, "Template insights are not enabled"),
    (2388001, 400, "Phone number migration failed"),
    (2388012, 400, "Phone number is already registered"),
    (2388019, 400, "Message template limit exceeded"),
    (2388039, 400, "Message template exceeds the character limit"),
    (2388040, 400, "Message template character limit exceeded"),
    (2388047, 400, "Message header format is incorrect"),
    (2388072, 400, "Message body format is incorrect"),
    (2388073, 400, "Message footer format is incorrect"),
    (2388091, 400, "Phone number is not available for migration"),
    (2388093, 400, "Phone number migration is not allowed"),
    (2388103, 400, "Phone number migration failed"),
    (2388293, 400, "Parameters words ratio exceeds limit"),
    (2388299, 400, "Leading or trailing parameters are not allowed"),
    (2494100, 400, "Phone number migration failed"),
    (2593107, 400, "Synchronization request limit exceeded"),
    (2593108, 400, "Synchronization request made outside of allowed time window"),
)
_BY_WEBHOOK = (
    (130472, 400, "User's number is part of an experiment"),
    (131026, 400, "Message undeliverable"),
    (131042, 400, "Business eligibility payment issue"),
    (131044, 400, "Business eligibility payment issue"),
    (131047, 400, "Re-engagement message"),
    (131048, 400, "Spam rate limit hit"),
    (131049, 400, "Meta chose not to deliver"),
    (131050, 400, "User has stopped receiving marketing messages from this business"),
    (131051, 400, "Unsupported message type"),
    (131052, 400, "Media download error"),
    (131053, 400, "Media upload error"),
    (137000, 400, "Recipient identity key hash mismatch"),
)

CATALOGUE: Mapping[int, CatalogueEntry] = MappingProxyType(
    _entries(_IN_THE_ANSWER, asynchronous=False) | _entries(_BY_WEBHOOK, asynchronous=True)
)
