"""An integrator's first message, with the client that openapi-python-client makes of docs/openapi.json."""

import sys
import time
from typing import Callable, Optional, TypeVar

from columba_client import AuthenticatedClient
from columba_client.api.messages import get_message, list_messages, send_message
from columba_client.api.pairing import get_qr_code
from columba_client.api.sandbox import scan_code
from columba_client.api.sessions import create_session, get_session, start_session
from columba_client.models import (
    Code,
    Message,
    MessageStatus,
    NewMessage,
    NewMessageType,
    NewSession,
    Problem,
    QrCode,
    Scan,
    Session,
    SessionStatus,
    Text,
)

T = TypeVar("T")


def until(what: str, ask: Callable[[], Optional[T]]) -> T:
    """Asks until the answer is there."""
    for _ in range(600):
        found = ask()
        if found is not None:
            return found
        time.sleep(0.05)
    raise SystemExit(f"{what} did not come")


def taken(kind: type[T], answer: object) -> T:
    if not isinstance(answer, kind):
        raise SystemExit(f"expected a {kind.__name__}: {answer}")
    return answer


def main(url: str, key: str) -> None:
    client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)
    session = taken(Session, create_session.sync(client=client, body=NewSession(label="python")))
    taken(Session, start_session.sync(session.id, client=client))

    def code() -> Optional[QrCode]:
        answer = get_qr_code.sync(session.id, client=client)
        if isinstance(answer, Problem) and answer.code != Code.NOT_PAIRING:
            raise SystemExit(answer.detail)
        return answer if isinstance(answer, QrCode) else None

    scan_code.sync(client=client, body=Scan(code=until("the code", code).code))

    def connected() -> Optional[Session]:
        found = taken(Session, get_session.sync(session.id, client=client))
        return found if found.status == SessionStatus.CONNECTED else None

    until("the connection", connected)

    body = NewMessage(to="+15551230001", type_=NewMessageType.TEXT, text=Text(body="canary-body from Python"))
    message = taken(Message, send_message.sync(session.id, client=client, body=body, idempotency_key="python-1"))

    def read() -> Optional[Message]:
        found = taken(Message, get_message.sync(message.id, client=client))
        return found if found.status == MessageStatus.READ else None

    receipt = until("the receipt", read)
    wrong = NewMessage(to="nobody", type_=NewMessageType.TEXT, text=Text(body="x"))
    refused = taken(Problem, send_message.sync(session.id, client=client, body=wrong))
    if refused.code != Code.INVALID_REQUEST or refused.errors[0].pointer != "/to":
        raise SystemExit(f"a bad number was not refused: {refused}")
    page = list_messages.sync(client=client, session=session.id, limit=1)
    if page.data[0].id != receipt.id:
        raise SystemExit("the list does not begin with the newest message")
    print(receipt.id, receipt.status)


main(*sys.argv[1:])
