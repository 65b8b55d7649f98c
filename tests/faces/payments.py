"""The server takes money through localstripe, which speaks as Stripe does: customers, cards, payment intents and signed
webhooks. It has no Checkout and no portal: tests/it/http/notices.rs asks a scripted peer for those. What a person does on
Stripe's page, this script does.

usage: payments.py SERVER LOCALSTRIPE LOG
"""

import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

SERVER, LOCALSTRIPE, LOG = sys.argv[1:4]
KEY, SECRET = "sk_test_" + secrets.token_hex(8), "whsec_" + secrets.token_hex(8)
PATIENCE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(method, url, token, body=None, form=None):
    data = json.dumps(body).encode() if body is not None else None
    kind = "application/json"
    if form is not None:
        data, kind = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {token}", "Content-Type": kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text.strip() else None
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"null")


def until(what, look):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.1)
    sys.exit(f"{what} did not happen in {PATIENCE} s")


def main():
    port = free_port()
    log = open(LOG, "w", encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="columba-payments-") as folder:
        stripe = subprocess.Popen(
            [LOCALSTRIPE, "--port", str(port), "--from-scratch"], stdout=log, stderr=log, cwd=folder,
            env=os.environ | {"HOME": folder, "TMPDIR": folder},
        )
        data = pathlib.Path(folder) / "data"
        server = subprocess.Popen(
            [SERVER, "serve", "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True,
            env=os.environ | {
                "COLUMBA__BILLING__STRIPE__URL": f"http://127.0.0.1:{port}",
                "COLUMBA__BILLING__STRIPE__KEY": KEY,
                "COLUMBA__BILLING__STRIPE__ENDPOINT_SECRETS": SECRET,
            },
        )
        try:
            line = server.stdout.readline()
            if " listens on " not in line:
                sys.exit(f"the server did not start; see {LOG}")
            url = line.split(" listens on ")[1].strip()
            journey(url, (data / "operator.token").read_text().strip(), f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            stripe.terminate()
            ended = server.wait(60)
            stripe.wait(60)
        assert ended == 0, f"the server ended with {ended}"
    log.flush()
    logged = pathlib.Path(LOG).read_text()
    for mark in [KEY, SECRET, "4242424242424242"]:
        assert mark not in logged, "a secret is in a log"


def journey(url, operator, stripe):
    admin = f"{url}/v1/admin"

    def listens():
        try:
            return ask("GET", f"{stripe}/v1/customers", KEY)[0] == 200 or None
        except OSError:
            return None

    until("localstripe's start", listens)
    status, _ = ask("POST", f"{stripe}/_config/webhooks/columba", KEY, {"url": f"{url}/v1/payments/stripe", "secret": SECRET})
    assert status == 200, status

    plan = {
        "code": "paid", "name": "Paid", "price_minor": 310_000, "currency": "EUR", "interval": "month",
        "messages_per_minute": 10, "messages_per_month": 100, "sessions_max": 1, "retention_days": 30,
    }
    assert ask("POST", f"{admin}/plans", operator, plan)[0] == 201

    def tenant(name):
        made = ask("POST", f"{admin}/tenants", operator, {"name": name, "plan": "paid"})[1]["id"]

        def invoice():
            rows = ask("GET", f"{admin}/tenants/{made}/invoices", operator)[1]["data"]
            return rows[0] if rows else None

        return made, until("the first invoice", invoice)

    def paid(invoice):
        def look():
            now = ask("GET", f"{admin}/invoices/{invoice['id']}", operator)[1]
            return now if now["status"] == "paid" else None

        return until("a payment", look)

    # 1. A charge of a card that a customer left: the customer is ours, the card and the money are Stripe's.
    acme, invoice = tenant("Acme")
    profile = {"party": {"name": "Acme", "email": "billing@example.com"}}
    assert ask("PUT", f"{admin}/tenants/{acme}/billing-profile", operator, profile)[0] == 200
    collect = f"{admin}/invoices/{invoice['id']}/collect"
    status, refused = ask("POST", collect, operator)
    assert status == 409 and "card" in refused["detail"], refused
    customer = ask("GET", f"{admin}/tenants/{acme}/billing-profile", operator)[1]["customer"]
    made = ask("GET", f"{stripe}/v1/customers/{customer}", KEY)[1]
    assert made["metadata"] == {"tenant": acme} and made["name"] == "Acme", made
    card = {"type": "card", "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2090, "cvc": "123"}}
    method = ask("POST", f"{stripe}/v1/payment_methods", KEY, card)[1]["id"]
    status, _ = ask("POST", f"{stripe}/v1/payment_methods/{method}/attach", KEY, form={"customer": customer})
    assert status == 200, status
    status, refused = ask("POST", collect, operator)
    assert status == 204, refused
    now = paid(invoice)
    assert now["paid_minor"] == invoice["total_minor"] and now["due_minor"] == 0, now
    assert ask("POST", collect, operator)[0] == 409, "nothing is due any more"

    # 2. A payment that a person makes on Stripe's page, with what our link marks it with.
    bolt, invoice = tenant("Bolt")
    card["card"]["number"] = "4242424242424242"
    method = ask("POST", f"{stripe}/v1/payment_methods", KEY, card)[1]["id"]
    intent = {
        "amount": invoice["due_minor"], "currency": "eur", "payment_method": method,
        "metadata": {"tenant": bolt, "invoice": invoice["id"]},
    }
    intent = ask("POST", f"{stripe}/v1/payment_intents", KEY, intent)[1]
    status, confirmed = ask("POST", f"{stripe}/v1/payment_intents/{intent['id']}/confirm", KEY, {})
    assert status == 200 and confirmed["status"] == "succeeded", confirmed
    paid(invoice)
    entries = ask("GET", f"{admin}/tenants/{bolt}/ledger", operator)[1]["data"]
    assert [entry["kind"] for entry in entries] == ["payment", "invoice"], entries
    assert entries[0]["reference"] == intent["id"] and sum(entry["amount_minor"] for entry in entries) == 0, entries

    # 3. A card that is declined leaves the invoice as it is.
    carl, invoice = tenant("Carl")
    ask("POST", f"{admin}/invoices/{invoice['id']}/collect", operator)
    customer = ask("GET", f"{admin}/tenants/{carl}/billing-profile", operator)[1]["customer"]
    card["card"]["number"] = "4000000000000341"
    method = ask("POST", f"{stripe}/v1/payment_methods", KEY, card)[1]["id"]
    ask("POST", f"{stripe}/v1/payment_methods/{method}/attach", KEY, form={"customer": customer})
    status, refused = ask("POST", f"{admin}/invoices/{invoice['id']}/collect", operator)
    assert status == 409 and refused["code"] == "conflict", refused
    assert ask("GET", f"{admin}/invoices/{invoice['id']}", operator)[1]["status"] == "open"
    metrics = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {operator}"})

    def failed():
        with urllib.request.urlopen(metrics) as answer:
            told = 'columba_payment_notices_total{provider="stripe",outcome="failed"} 1' in answer.read().decode()
        return told or None

    until("the notice of a failure", failed)


main()
