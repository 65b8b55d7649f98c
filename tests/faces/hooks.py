"""What schemathesis has to know about Columba, and what no answer may do.

Who calls: the operator's token where the document says so, else one of two tenants' keys, drawn per call. Which ids
there are: those that answers have shown, so that calls reach what exists. Each is known with its owner: no answer to one
tenant may show or touch what is the other's.
"""

import json
import os
import random
import re
import threading
from collections import Counter, defaultdict

import schemathesis
from schemathesis.specs.openapi.checks import content_type_conformance

TOKENS = json.loads(os.environ["FACES_TOKENS"])
KEYS = {TOKENS["a"]: "a", TOKENS["b"]: "b"}
# What the run itself stands on: it is read, and never deleted, suspended or changed.
STANDING = set(TOKENS["standing"])
PLAN = TOKENS["plan"]
COUNT = os.environ["FACES_COUNT"]
ID = re.compile(r"\b(?:ses|msg|whk|dlv|evt|inv|crn|ten|key|opr)_[0-9a-f]{32}\b")
TENANTS_OWN = ("ses_", "msg_", "whk_", "dlv_", "evt_", "inv_", "crn_")
# A name that leads nowhere (RFC 6761): what is tried here sends nothing out.
ENDPOINT = "https://columba.invalid/hook"
ABSENT = "0" * 32

draw = random.Random(int(os.environ["FACES_SEED"]))
lock = threading.Lock()
calls = Counter()
owner = {}
known = defaultdict(list)


def is_operators(case):
    return case.operation.path.startswith("/v1/admin")


@schemathesis.auth(refresh_interval=None)
class Token:
    """The token that the operation takes."""

    def get(self, case, context):
        return TOKENS["operator"] if is_operators(case) else draw.choice([TOKENS["a"], TOKENS["b"]])

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def prefix_of(path):
    before = path.split("/{id}")[0].rsplit("/", 1)[-1]
    return {
        "sessions": "ses_", "messages": "msg_", "webhooks": "whk_", "deliveries": "dlv_", "tenants": "ten_",
        "keys": "key_", "operators": "opr_", "invoices": "inv_", "credit-notes": "crn_",
    }.get(before)


def known_id(prefix):
    found = known[prefix]
    return draw.choice(found[-200:]) if found else None


def is_lawful(case):
    meta = getattr(case, "meta", None)
    return meta is not None and meta.generation.mode.value == "positive"


def spare(case):
    """Keeps the run's own tenants, keys and plan as they are."""
    path, method = case.operation.path, case.operation.method.upper()
    named = (case.path_parameters or {}).get("id")
    changes = method in {"DELETE", "PATCH", "PUT"} or path.endswith(("/suspend", "/resume", "/rotate", "/cancel"))
    if changes and named in STANDING:
        case.path_parameters["id"] = "absent" if named == PLAN else f"{named[:4]}{ABSENT}"
    # It keeps a thread for ten seconds, and all that waits for it; the tests of supervision do that.
    if isinstance(case.body, dict) and case.body.get("fault") == "hang":
        case.body["fault"] = "exit"


@schemathesis.hook
def before_call(context, case, kwargs):
    with lock:
        # An unlawful case is left as it is: put right it would be lawful.
        if is_lawful(case) and draw.random() < 0.8:
            prefix = prefix_of(case.operation.path)
            if prefix and case.path_parameters and (found := known_id(prefix)):
                case.path_parameters["id"] = found
            session = known_id("ses_")
            if session and isinstance(case.body, dict) and "session" in case.body:
                case.body["session"] = session
            if session and isinstance(case.query, dict) and "session" in case.query:
                case.query["session"] = session
            if isinstance(case.body, dict) and "plan" in case.body:
                case.body["plan"] = PLAN
            if "/webhooks" in case.operation.path and isinstance(case.body, dict):
                tell(case.body, session)
        one_of_two(case)
        spare(case)


def tell(body, session):
    """What no schema says of webhooks: where they may lead, whose sessions they may name, what comes before what."""
    if "url" in body:
        body["url"] = ENDPOINT
    if body.get("sessions"):
        body["sessions"] = [session] if session else []
    if "from" in body:
        body |= {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    if body.get("statuses"):
        body["statuses"] = [status for status in body["statuses"] if status != "pending"] or ["dead"]


def one_of_two(case):
    """`after` and `cursor` exclude each other, which OpenAPI cannot say: of two that are lawful one is kept."""
    query = case.query if isinstance(case.query, dict) else {}
    if all(str(query.get(name, "")).isdecimal() for name in ["after", "cursor"]):
        del query["cursor"]


def caller(response):
    shown = response.request.headers.get("Authorization", "")
    shown = shown.decode() if isinstance(shown, bytes) else shown
    return KEYS.get(shown.removeprefix("Bearer "))


def text(response):
    """What it says; of a file, which is no text, what can be read of it."""
    return response.content.decode(errors="replace")


@schemathesis.hook
def after_call(context, case, response):
    who = caller(response)
    with lock:
        calls[response.status_code] += 1
        if calls.total() % 10 == 0:
            write()
        # The documents show ids too, which are nobody's.
        if response.status_code >= 300 or not case.operation.path.startswith("/v1/"):
            return
        for found in ID.findall(text(response)):
            if found not in owner and found not in STANDING:
                # What only the operator has seen is nobody's yet: the tenant who sees it first is its owner.
                if who is not None and found.startswith(TENANTS_OWN):
                    owner[found] = who
                    known[found[:4]].append(found)
                elif who is None and found not in known[found[:4]] and found.startswith(("ten_", "key_", "opr_")):
                    known[found[:4]].append(found)


def write():
    with open(COUNT, "w", encoding="utf-8") as file:
        json.dump({str(status): count for status, count in calls.items()}, file)


@schemathesis.check
def nothing_of_another_tenant(ctx, response, case):
    """No answer to one tenant shows or touches what is the other's."""
    who = caller(response)
    if who is None:
        return
    with lock:
        shown = [found for found in ID.findall(text(response)) if owner.get(found, who) != who]
        asked = [found for found in ID.findall(response.request.url) if owner.get(found, who) != who]
    if shown:
        raise AssertionError(f"tenant {who} was shown {shown[0]}, which is the other's")
    named_in_path = [found for found in asked if f"/{found}" in response.request.url]
    calls["foreign"] += bool(named_in_path)
    if named_in_path and response.status_code < 400:
        raise AssertionError(f"tenant {who} got {response.status_code} on {named_in_path[0]}, which is the other's")


@schemathesis.check
def no_failure_but_unavailable(ctx, response, case):
    """No 5xx is meant but 503."""
    if response.status_code >= 500 and response.status_code != 503:
        raise AssertionError(f"{response.status_code}: {response.text[:200]}")


@schemathesis.check
def documented_content_type(ctx, response, case):
    """A file is of the type that it is, which no document can list; all else is as the document says."""
    if case.operation.path == "/v1/media/{id}/content" and response.status_code in (200, 206):
        return None
    return content_type_conformance(ctx, response, case)
