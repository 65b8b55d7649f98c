//! What a payment provider says and is asked: Stripe's notices, forged, late, twice and out of order, and its calls against a
//! scripted peer.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use async_trait::async_trait;
use columba::config::billing::StripeOptions;
use columba::domain::audit::Actor;
use columba::domain::id::{CreditNoteId, InvoiceId, TenantId};
use columba::domain::invoice::{CreditNote, Entry, Invoice};
use columba::domain::money::Currency;
use columba::domain::page::{Page, Slice};
use columba::domain::subscription::Subscription;
use columba::domain::time::WallTime;
use columba::payments::stripe::Stripe;
use columba::ports::ledger::{BillingProfile, Decide, InvoiceFilter, Ledger, Matter, Written};
use columba::ports::payments::PaymentProvider;
use columba::ports::store::{StoreError, WriteError};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::firm::Firm;
use super::world::{Reply, request};
use crate::support::receiver::{self, Receiver, Request};

const SECRET: &str = "whsec_test";
const KEY: &str = "sk_test_columba";

fn stripe(url: &str) -> Arc<dyn PaymentProvider> {
    let options =
        StripeOptions { url: url.to_owned(), key: KEY.to_owned(), endpoint_secrets: vec![SECRET.to_owned()] };
    assert!(!format!("{options:?}").contains(KEY), "no key in what is logged");
    Arc::new(Stripe::new(options, columba::egress::tls().unwrap()))
}

/// As Stripe signs: HMAC-SHA256 of the time and the body.
pub fn signed(body: &str, secret: &str, at: WallTime) -> String {
    let seconds = at.0 / 1_000;
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{seconds}.{body}")).finalize().into_bytes();
    format!("t={seconds},v1={}", hex::encode(mac))
}

async fn say(firm: &Firm, body: &str, signature: &str) -> Reply {
    let request = TestRequest::post().uri("/v1/payments/stripe").peer_addr("192.0.2.1:1".parse().unwrap());
    firm.send(request.insert_header(("stripe-signature", signature)).set_payload(body.to_owned())).await
}

async fn tell(firm: &Firm, event: &Value) -> Reply {
    let body = event.to_string();
    say(firm, &body, &signed(&body, SECRET, firm.stage.now())).await
}

/// An open invoice over EUR 14.92 of a firm that Stripe takes the money for.
async fn asked(url: &str) -> (Firm, Value) {
    let firm = Firm::with(stripe(url)).await;
    firm.tick().await;
    let invoice = firm.newest().await;
    (firm, invoice)
}

fn marks(invoice: &Value) -> Value {
    json!({"tenant": invoice["tenant"], "invoice": invoice["id"]})
}

fn paid(invoice: &Value, payment: &str, amount: i64) -> Value {
    json!({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {
        "id": payment, "amount": amount, "amount_received": amount, "currency": "eur", "metadata": marks(invoice),
    }}})
}

fn refunded(invoice: &Value, payment: &str, amount: i64, so_far: i64, before: i64) -> Value {
    json!({"id": "evt_2", "type": "charge.refunded", "data": {
        "object": {
            "id": "ch_1", "payment_intent": payment, "amount": amount, "amount_captured": amount,
            "amount_refunded": so_far, "currency": "eur", "metadata": marks(invoice),
        },
        "previous_attributes": {"amount_refunded": before},
    }})
}

#[actix_web::test]
async fn what_stripe_says_counts_once_however_often_and_in_whatever_order_it_says_it() {
    // Each row: what is told in this order; what is due of the invoice then, and what the tenant owes.
    type Told = fn(&Value) -> Vec<Value>;
    let rows: [(&str, Told, i64, i64); 9] = [
        ("paid", |i| vec![paid(i, "pi_1", 1_492)], 0, 0),
        ("paid, told three times", |i| vec![paid(i, "pi_1", 1_492); 3], 0, 0),
        ("paid in two parts", |i| vec![paid(i, "pi_1", 492), paid(i, "pi_2", 1_000)], 0, 0),
        (
            "paid twice: the second is to the tenant's credit",
            |i| vec![paid(i, "pi_1", 1_492), paid(i, "pi_2", 1_492)],
            0,
            -1_492,
        ),
        ("more than is due", |i| vec![paid(i, "pi_1", 2_000)], 0, -508),
        ("paid and given back", |i| vec![paid(i, "pi_1", 1_492), refunded(i, "pi_1", 1_492, 1_492, 0)], 0, 0),
        (
            "given back before it was paid",
            |i| vec![refunded(i, "pi_1", 1_492, 1_492, 0), paid(i, "pi_1", 1_492)],
            0,
            0,
        ),
        (
            "given back in two parts, the later one first, each twice",
            |i| {
                let (one, two) = (refunded(i, "pi_1", 1_492, 400, 0), refunded(i, "pi_1", 1_492, 1_000, 400));
                vec![two.clone(), one.clone(), two, one, paid(i, "pi_1", 1_492)]
            },
            0,
            0,
        ),
        (
            "an attempt that failed changes nothing",
            |i| {
                vec![json!({"id": "evt_3", "type": "payment_intent.payment_failed", "data": {"object": {
                    "id": "pi_1", "amount": 1_492, "currency": "eur", "metadata": marks(i),
                    "last_payment_error": {"code": "card_declined"},
                }}})]
            },
            1_492,
            1_492,
        ),
    ];
    for (what, told, due, owed) in rows {
        let (firm, invoice) = asked("http://127.0.0.1:9").await;
        for event in told(&invoice) {
            let reply = tell(&firm, &event).await;
            assert_eq!(reply.status, 200, "{what}: {}", reply.text);
        }
        let now = firm.newest().await;
        assert_eq!((now["due_minor"].as_i64(), firm.owes().await), (Some(due), owed), "{what}: {now}");
    }
}

#[actix_web::test]
async fn what_is_not_to_be_believed_is_refused_and_changes_nothing() {
    let (firm, invoice) = asked("http://127.0.0.1:9").await;
    let body = paid(&invoice, "pi_1", 1_492).to_string();
    let now = firm.stage.now();
    let minutes = |count: u64| std::time::Duration::from_secs(60 * count);
    let good = signed(&body, SECRET, now);
    for (what, body, signature) in [
        ("no signature", &*body, String::new()),
        ("another secret", &*body, signed(&body, "whsec_other", now)),
        ("another body", "{}", good.clone()),
        ("one byte more", &*format!("{body} "), good.clone()),
        ("kept for six minutes", &*body, signed(&body, SECRET, now - minutes(6))),
        ("six minutes ahead", &*body, signed(&body, SECRET, now + minutes(6))),
        ("rubbish, signed", "rubbish", signed("rubbish", SECRET, now)),
        ("nothing, signed", "", signed("", SECRET, now)),
        ("an event of another form, signed", "{\"type\":1}", signed("{\"type\":1}", SECRET, now)),
    ] {
        let reply = say(&firm, body, &signature).await;
        assert_eq!(reply.problem(), (400, "invalid_request".into(), String::new()), "{what}");
        assert!(!reply.text.contains("whsec") && !reply.text.contains("rubbish"), "{what}: {}", reply.text);
    }
    let huge = format!("{{\"x\":\"{}\"}}", "x".repeat(300_000));
    assert_eq!(say(&firm, &huge, &signed(&huge, SECRET, now)).await.status, 413);
    assert_eq!(firm.owes().await, 1_492);
    let overview = firm.rule(Method::GET, "/v1/admin/overview", None).await.json();
    let told = &overview["incidents"][0];
    assert_eq!((&told["kind"], &told["count"]), (&json!("notices_refused"), &json!(9)), "{overview}");
    assert_eq!(say(&firm, &body, &good).await.status, 200, "it was good all the time");
    assert_eq!(firm.owes().await, 0);
    // The very same request again, a moment and an hour later.
    assert_eq!(say(&firm, &body, &good).await.status, 200);
    firm.stage.wait_secs(3_600);
    assert_eq!(say(&firm, &body, &good).await.status, 400);
    assert_eq!(firm.owes().await, 0);
}

#[actix_web::test]
async fn what_is_about_nobody_here_is_taken_and_counted_and_never_asked_for_again() {
    let (firm, invoice) = asked("http://127.0.0.1:9").await;
    let mut elsewhere = invoice.clone();
    elsewhere["id"] = json!("inv_019a2b3c4d5e7f808192a3b4c5d6e7f1");
    let mut nobody = invoice.clone();
    nobody["tenant"] = json!("ten_019a2b3c4d5e7f808192a3b4c5d6e7f1");
    for (what, event) in [
        ("another's invoice", paid(&elsewhere, "pi_1", 5)),
        ("another's tenant", paid(&nobody, "pi_2", 5)),
        ("a refund of neither", refunded(&elsewhere, "pi_3", 5, 5, 0)),
        (
            "not asked for by us",
            json!({"type": "payment_intent.succeeded", "data": {"object": {"id": "pi_4", "amount": 5, "currency": "eur"}}}),
        ),
        (
            "ids of another form",
            json!({"type": "payment_intent.succeeded", "data": {"object": {
                "id": "pi_5", "amount": 5, "currency": "eur", "metadata": {"tenant": "x", "invoice": "y"},
            }}}),
        ),
        ("nothing about money", json!({"type": "customer.created", "data": {"object": {"id": "cus_1"}}})),
    ] {
        let reply = tell(&firm, &event).await;
        assert_eq!(reply.status, 200, "{what}: {}", reply.text);
    }
    assert_eq!(firm.owes().await, 1_492);
    let metrics = firm.rule(Method::GET, "/metrics", None).await.text;
    assert!(
        metrics.contains("columba_payment_notices_total{provider=\"stripe\",outcome=\"unknown\"}"),
        "{metrics}"
    );
}

/// A ledger that cannot be reached.
struct Away;

#[async_trait]
impl Ledger for Away {
    fn signed(self: Arc<Self>, _: Actor) -> Arc<dyn Ledger> {
        self
    }

    async fn decide(&self, _: TenantId, _: Matter, _: Decide, _: WallTime) -> Result<Written, WriteError> {
        Err(StoreError::Unavailable("the test took it away".into()).into())
    }

    async fn due(&self, _: WallTime, _: u32) -> Result<Vec<TenantId>, StoreError> {
        unreachable!()
    }

    async fn subscription(&self, _: TenantId) -> Result<Option<Subscription>, StoreError> {
        unreachable!()
    }

    async fn profile(&self, _: TenantId) -> Result<BillingProfile, StoreError> {
        unreachable!()
    }

    async fn invoices(&self, _: InvoiceFilter, _: Page) -> Result<Slice<Invoice>, StoreError> {
        unreachable!()
    }

    async fn invoice(&self, _: InvoiceId, _: Option<TenantId>) -> Result<Option<Invoice>, StoreError> {
        unreachable!()
    }

    async fn note(&self, _: CreditNoteId, _: Option<TenantId>) -> Result<Option<CreditNote>, StoreError> {
        unreachable!()
    }

    async fn notes(&self, _: InvoiceId) -> Result<Vec<CreditNote>, StoreError> {
        unreachable!()
    }

    async fn entries(&self, _: TenantId, _: Option<i64>, _: u32) -> Result<Vec<(i64, Entry)>, StoreError> {
        unreachable!()
    }

    async fn balances(&self, _: TenantId) -> Result<Vec<(Currency, i64)>, StoreError> {
        unreachable!()
    }
}

#[actix_web::test]
async fn a_notice_that_cannot_be_written_down_is_asked_for_again() {
    let (firm, invoice) = asked("http://127.0.0.1:9").await;
    let ledger = firm.state.ledger.clone();
    let firm = firm.over(Arc::new(Away));
    let away = tell(&firm, &paid(&invoice, "pi_1", 1_492)).await;
    assert_eq!((away.status, away.header("retry-after")), (503, "1"));
    let firm = firm.over(ledger);
    assert_eq!(tell(&firm, &paid(&invoice, "pi_1", 1_492)).await.status, 200);
    assert_eq!(firm.owes().await, 0);
}

/// A field of a form.
fn field(request: &Request, name: &str) -> String {
    let fields = url::form_urlencoded::parse(request.body.as_bytes());
    { fields }.find(|(own, _)| own == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Answers as Stripe's documentation shows them (<https://docs.stripe.com/api>), shortened to what is read.
#[actix_web::test]
async fn links_and_charges_are_asked_for_with_what_the_notice_will_need() {
    let peer = Receiver::start().await;
    let (firm, invoice) = asked(&format!("http://{}", peer.address)).await;
    let path = format!("/v1/invoices/{}/checkout", invoice["id"].as_str().unwrap());
    let back =
        json!({"done_url": "https://shop.example/paid?a=1&b=2", "given_up_url": "https://shop.example/"});
    let expires = firm.stage.now().0 / 1_000 + 86_400;
    let session = json!({"id": "cs_1", "object": "checkout.session", "url": "https://checkout.stripe.com/c/1", "expires_at": expires});
    peer.next(&receiver::json(200, &json!({"id": "cus_1", "object": "customer"})));
    peer.next(&receiver::json(200, &session));
    let link = firm.ask(Method::POST, &path, Some(back.clone())).await;
    assert_eq!(
        (link.status, &link.json()["url"]),
        (200, &json!("https://checkout.stripe.com/c/1")),
        "{}",
        link.text
    );
    peer.next(&receiver::json(200, &session));
    assert_eq!(firm.ask(Method::POST, &path, Some(back)).await.status, 200);
    peer.next(&receiver::json(200, &json!({"id": "bps_1", "url": "https://billing.stripe.com/p/1"})));
    let portal = firm
        .ask(Method::POST, "/v1/billing/portal", Some(json!({"back_url": "https://shop.example/"})))
        .await;
    assert_eq!((portal.status, &portal.json()["expires_at"]), (200, &Value::Null), "{}", portal.text);
    let collect = format!("/v1/admin/invoices/{}/collect", invoice["id"].as_str().unwrap());
    peer.next(&receiver::json(
        200,
        &json!({"object": "list", "data": [{"id": "pm_1", "object": "payment_method"}]}),
    ));
    peer.next(&receiver::json(
        200,
        &json!({"id": "pi_1", "object": "payment_intent", "status": "succeeded"}),
    ));
    assert_eq!(firm.rule(Method::POST, &collect, None).await.status, 204);

    let got = peer.got();
    let lines: Vec<_> = got.iter().map(|one| one.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/customers",
            "POST /v1/checkout/sessions",
            "POST /v1/checkout/sessions",
            "POST /v1/billing_portal/sessions",
            "GET /v1/payment_methods?customer=cus_1&type=card",
            "POST /v1/payment_intents",
        ],
        "the customer is made once"
    );
    for one in &got {
        assert_eq!(one.header("authorization"), format!("Bearer {KEY}"));
        assert!(one.line.starts_with("GET") || !one.header("idempotency-key").is_empty(), "{}", one.line);
    }
    let (tenant, id) = (invoice["tenant"].as_str().unwrap(), invoice["id"].as_str().unwrap());
    for (at, name, value) in [
        (0, "metadata[tenant]", tenant),
        (0, "name", "Acme"),
        (1, "metadata[invoice]", id),
        (1, "payment_intent_data[metadata][tenant]", tenant),
        (1, "payment_intent_data[metadata][invoice]", id),
        (1, "line_items[0][price_data][unit_amount]", "1492"),
        (1, "line_items[0][price_data][currency]", "eur"),
        (1, "success_url", "https://shop.example/paid?a=1&b=2"),
        (3, "customer", "cus_1"),
        (5, "metadata[invoice]", id),
        (5, "amount", "1492"),
        (5, "payment_method", "pm_1"),
    ] {
        assert_eq!(field(&got[at], name), value, "{name} of {}", got[at].line);
    }
}

/// Stripe keeps a key for a day: <https://docs.stripe.com/api/idempotent_requests>.
#[actix_web::test]
async fn a_link_that_is_asked_for_twice_by_one_key_is_asked_for_by_one_name_and_stripe_says_whether_it_is_the_same()
 {
    let peer = Receiver::start().await;
    let (firm, invoice) = asked(&format!("http://{}", peer.address)).await;
    let profile = json!({"party": {"name": "Acme"}, "customer": "cus_1"});
    firm.rule(Method::PUT, &firm.of_tenant("billing-profile"), Some(profile)).await;
    let id = invoice["id"].as_str().unwrap();
    let (theirs, ours) = (format!("/v1/invoices/{id}/checkout"), format!("/v1/admin/invoices/{id}/checkout"));
    let portal = "/v1/billing/portal".to_owned();
    let back = json!({"done_url": "https://shop.example/", "given_up_url": "https://shop.example/"});
    let operator = firm.state.operator.expose().to_owned();
    let answer = json!({"url": "https://checkout.stripe.com/c/1"}).to_string();
    let head =
        |more: &str| format!("HTTP/1.1 200 OK\r\n{more}content-length: {}\r\n\r\n{answer}", answer.len());
    let otherwise =
        json!({"error": {"type": "idempotency_error", "message": "Keys for idempotent requests …"}});
    for (path, token, body, key, answer, status, replayed) in [
        (&theirs, &firm.key, &back, Some("k"), head(""), 200, ""),
        (&theirs, &firm.key, &back, Some("k"), head("idempotent-replayed: true\r\n"), 200, "true"),
        (&theirs, &firm.key, &back, None, head(""), 200, ""),
        (&theirs, &firm.key, &back, None, head(""), 200, ""),
        (&ours, &operator, &back, Some("k"), head(""), 200, ""),
        (&portal, &firm.key, &json!({"back_url": "https://shop.example/"}), Some("k"), head(""), 200, ""),
        (&theirs, &firm.key, &back, Some("k"), receiver::json(400, &otherwise), 422, ""),
    ] {
        peer.next(&answer);
        let asked = request(Method::POST, path, token, Some(body.clone()));
        let asked = match key {
            Some(key) => asked.insert_header(("idempotency-key", key)),
            None => asked,
        };
        let reply = firm.send(asked).await;
        assert_eq!(
            (reply.status, reply.header("idempotency-replayed")),
            (status, replayed),
            "{path}: {}",
            reply.text
        );
        if status == 422 {
            assert_eq!(reply.problem().1, "idempotency_mismatch");
        }
    }
    let names: Vec<_> = peer.got().iter().map(|one| one.header("idempotency-key").to_owned()).collect();
    assert_eq!((&names[0], &names[0]), (&names[1], &names[6]), "one key, one name");
    let different: std::collections::BTreeSet<_> = names[1..6].iter().collect();
    assert_eq!(different.len(), 5, "no key, another caller, another kind of link: other names: {names:?}");
    assert!(names.iter().all(|name| name.len() < 128 && name.starts_with("columba-")), "{names:?}");
}

#[actix_web::test]
async fn what_stripe_does_not_do_is_said_in_its_words_and_is_asked_again_only_when_that_may_help() {
    let peer = Receiver::start().await;
    let (firm, invoice) = asked(&format!("http://{}", peer.address)).await;
    let profile = json!({"party": {"name": "Acme"}, "customer": "cus_1"});
    firm.rule(Method::PUT, &firm.of_tenant("billing-profile"), Some(profile)).await;
    let collect = format!("/v1/admin/invoices/{}/collect", invoice["id"].as_str().unwrap());
    let declined = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "secret"}});
    for (what, answer, status, word) in [
        ("declined", receiver::json(402, &declined), 409, "insufficient_funds"),
        (
            "a wrong key",
            receiver::json(401, &json!({"error": {"type": "invalid_request_error"}})),
            409,
            "401",
        ),
        ("too many", receiver::json(429, &json!({})), 503, "429"),
        ("broken", receiver::json(500, &json!({})), 503, "500"),
        ("no JSON", receiver::status(200), 503, "read"),
        ("no card", receiver::json(200, &json!({"data": []})), 409, "checkout"),
    ] {
        peer.next(&answer);
        let reply = firm.rule(Method::POST, &collect, None).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.text);
        assert!(reply.text.contains(word), "{what}: {}", reply.text);
        assert!(!reply.text.contains("secret") && !reply.text.contains(KEY), "{what}: {}", reply.text);
    }
    // Nobody pays for what was taken back.
    let void = format!("/v1/admin/invoices/{}/void", invoice["id"].as_str().unwrap());
    assert_eq!(firm.rule(Method::POST, &void, None).await.status, 200);
    let asked_so_far = peer.got().len();
    assert_eq!(firm.rule(Method::POST, &collect, None).await.problem().1, "conflict");
    assert_eq!(peer.got().len(), asked_so_far);

    let (gone, _) = asked("http://127.0.0.1:9").await;
    let invoice = gone.newest().await;
    let collect = format!("/v1/admin/invoices/{}/collect", invoice["id"].as_str().unwrap());
    assert_eq!(gone.rule(Method::POST, &collect, None).await.problem().1, "unavailable");
}
