"""Who is told what by mail.

What happens in a workspace leaves an event; `registry` says whom it concerns. The job that tells
them is made in the transaction of the event, so that nobody hears of what did not happen.
"""

from portero.domain.notices.services.listening import deliver, listen, tell, tell_somebody
from portero.domain.notices.services.registry import Letter, concerns
from portero.domain.notices.services.sending import send, send_way_back_in

__all__ = [
    "Letter",
    "concerns",
    "deliver",
    "listen",
    "send",
    "send_way_back_in",
    "tell",
    "tell_somebody",
]
