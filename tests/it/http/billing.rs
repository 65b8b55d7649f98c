//! Billing over HTTP: what an operator does and what a tenant sees, from the plan to the paper.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::firm::Firm;
use super::world::request;

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap()
}

fn keyed(firm: &Firm, path: &str, key: &str, body: Value) -> TestRequest {
    request(Method::POST, path, firm.state.operator.expose(), Some(body))
        .insert_header(("idempotency-key", key))
}

#[actix_web::test]
async fn a_tenant_that_does_not_pay_is_reminded_then_stopped_and_sends_again_once_it_has_paid() {
    let firm = Firm::open().await;
    firm.tick().await;
    // From 11:06:40 on the 18th of November: 1,083,200 of 2,592,000 seconds of 3000, and 19 % on it.
    let first = firm.newest().await;
    assert_eq!((&first["number"], &first["status"]), (&json!("INV-000001"), &json!("open")), "{first}");
    assert_eq!(first["buyer"]["name"], "Acme", "nobody entered another name");
    assert_eq!((&first["subtotal_minor"], &first["due_minor"]), (&json!(1_254), &json!(1_492)));
    let pay = format!("/v1/admin/invoices/{}/pay", id(&first));
    let paid = firm.rule(Method::POST, &pay, None).await;
    assert_eq!((paid.status, &paid.json()["status"]), (200, &json!("paid")), "{}", paid.text);

    for _ in 0..4 {
        assert_eq!(firm.message().await.status, 202);
    }
    let usage = firm.ask(Method::GET, "/v1/usage", None).await.json();
    assert_eq!((&usage["messages"]["used"], &usage["day"]["sent"]), (&json!(4), &json!(4)), "{usage}");
    assert_eq!(usage["minute"]["attempts"], 4, "{usage}");

    firm.wait_days(13).await;
    let second = firm.newest().await;
    assert_eq!(second["number"], "INV-000002");
    let lines: Vec<_> = second["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (&line["kind"], &line["amount_minor"]))
        .collect();
    assert_eq!(lines, [(&json!("overage"), &json!(20)), (&json!("base"), &json!(3_000))]);
    assert_eq!(second["due_minor"], 3_594, "{second}");
    let path = format!("/v1/invoices/{}", id(&second));
    let paper = firm
        .send(request(Method::GET, &path, &firm.key, None).insert_header(("accept", "application/pdf")))
        .await;
    assert!(paper.text.starts_with("%PDF"), "{}", paper.text);
    assert_eq!(paper.header("content-disposition"), "attachment; filename=\"INV-000002.pdf\"");

    assert_eq!(firm.message().await.status, 202);
    let sessions = json!({"label": "more"});
    let mut seen = vec![];
    for days in [15, 7, 7] {
        firm.wait_days(days).await;
        let made = firm.ask(Method::POST, "/v1/sessions", Some(sessions.clone())).await;
        let sent = firm.message().await;
        seen.push((firm.status().await, made.status, sent.status));
    }
    // In grace the soft quota of two binds as a hard one.
    let expected = [("past_due", 201, 202), ("grace", 409, 402), ("suspended", 403, 403)];
    assert_eq!(seen, expected.map(|(status, made, sent)| (status.to_owned(), made, sent)));

    let refused = firm.message().await;
    assert_eq!(refused.problem().1, "tenant_suspended");
    assert!(refused.json()["detail"].as_str().unwrap().contains("paid"), "{}", refused.text);
    for path in ["/v1/subscription", "/v1/invoices", &path, "/v1/usage", "/v1/usage/days", "/v1/messages"] {
        assert_eq!(firm.ask(Method::GET, path, None).await.status, 200, "{path}");
    }

    let pay = format!("/v1/admin/invoices/{}/pay", id(&second));
    assert_eq!(firm.rule(Method::POST, &pay, Some(json!({"reference": "transfer 12"}))).await.status, 200);
    firm.tick().await;
    assert_eq!(firm.status().await, "active");
    assert_eq!(firm.message().await.status, 202);
}

#[actix_web::test]
async fn a_dearer_plan_is_paid_from_now_on_and_a_cheaper_one_from_the_next_period_whichever_way_it_is_given()
{
    for by_tenant in [true, false] {
        let firm = Firm::open().await;
        firm.put_plan("large", json!({"price_minor": 9_000, "sessions_max": 9, "messages_per_month": 500}))
            .await;
        firm.put_plan("small", json!({"price_minor": 1_000, "sessions_max": 1})).await;
        firm.tick().await;
        let give = async |plan: &str| {
            let tenant = format!("/v1/admin/tenants/{}", firm.stage.tenant);
            let path = if by_tenant { tenant } else { format!("{tenant}/subscription") };
            let given = firm.rule(Method::PATCH, &path, Some(json!({"plan": plan}))).await;
            assert_eq!(given.status, 200, "{}", given.text);
            firm.tick().await;
        };
        let preview =
            firm.rule(Method::GET, &firm.of_tenant("subscription/preview?plan=large"), None).await.json();
        give("large").await;
        let upgrade = firm.newest().await;
        // Twice as much again for the rest of the month: the same moment, so exactly the price's difference.
        assert_eq!(upgrade["subtotal_minor"], 3_761 - 1_254, "{upgrade}");
        assert_eq!(preview["due_minor"], upgrade["due_minor"], "what was previewed is what is asked for");
        let limits = firm.ask(Method::GET, "/v1/usage", None).await.json();
        assert_eq!((&limits["sessions"]["limit"], &limits["messages"]["limit"]), (&json!(9), &json!(500)));

        give("small").await;
        assert_eq!(firm.invoices().await.len(), 2, "nothing is given back and nothing is asked for");
        let limits = firm.ask(Method::GET, "/v1/usage", None).await.json();
        // An operator who changes the tenant changes its caps at once; the subscription's change waits with them.
        assert_eq!(limits["sessions"]["limit"], if by_tenant { 1 } else { 9 }, "{limits}");
        firm.wait_days(13).await;
        assert_eq!(firm.newest().await["subtotal_minor"], 1_000);
        let limits = firm.ask(Method::GET, "/v1/usage", None).await.json();
        assert_eq!(limits["sessions"]["limit"], 1);
    }
}

#[actix_web::test]
async fn a_subscription_ends_with_its_period_or_now_and_begins_again() {
    let firm = Firm::open().await;
    firm.tick().await;
    let path = firm.of_tenant("subscription");
    let all = format!("/v1/admin/invoices/{}/pay", id(&firm.newest().await));
    firm.rule(Method::POST, &all, None).await;

    let planned = firm.rule(Method::POST, &format!("{path}/cancel"), None).await.json();
    assert_eq!((&planned["ends"], &planned["status"]), (&json!(true), &json!("active")), "{planned}");
    let kept = firm.rule(Method::PATCH, &path, Some(json!({"ends": false}))).await.json();
    assert_eq!(kept["ends"], false);
    let again = firm.rule(Method::POST, &format!("{path}/reactivate"), None).await;
    assert_eq!(again.problem().1, "conflict", "it has not ended");

    let over = firm.rule(Method::POST, &format!("{path}/cancel"), Some(json!({"when": "now"}))).await.json();
    assert_eq!(over["status"], "canceled");
    assert_eq!(firm.message().await.problem(), (403, "tenant_suspended".into(), String::new()));
    assert_eq!(firm.rule(Method::POST, &format!("{path}/cancel"), None).await.problem().1, "conflict");
    let begun = firm.rule(Method::POST, &format!("{path}/reactivate"), None).await.json();
    assert_eq!(begun["status"], "active", "{begun}");
    assert_eq!(firm.message().await.status, 202);
    assert_eq!(firm.invoices().await.len(), 2, "a new beginning is a new invoice");
}

#[actix_web::test]
async fn a_plan_bounds_endpoints_and_seats_and_goes_when_nobody_has_it() {
    let firm = Firm::open().await;
    firm.put_plan("basic", json!({"webhooks_max": 1, "seats_max": 2})).await;
    let bounds = firm.ask(Method::GET, "/v1/limits", None).await.json();
    assert_eq!((&bounds["plan"]["webhooks_max"], &bounds["plan"]["seats_max"]), (&json!(1), &json!(2)));
    let hook = || firm.ask(Method::POST, "/v1/webhooks", Some(json!({"url": "https://shop.example/hook"})));
    let keys = firm.of_tenant("keys");
    let key = || firm.rule(Method::POST, &keys, Some(json!({"name": "crm"})));
    let (first, second) = (hook().await, hook().await);
    assert_eq!(
        (first.status, second.problem().1.as_str()),
        (201, "conflict"),
        "{} {}",
        first.text,
        second.text
    );
    assert!(second.text.contains("the plan allows 1 webhooks"), "{}", second.text);
    // The firm's own key has the first seat.
    let (first, second) = (key().await, key().await);
    assert_eq!(
        (first.status, second.problem().1.as_str()),
        (201, "conflict"),
        "{} {}",
        first.text,
        second.text
    );
    firm.put_plan("basic", json!({"webhooks_max": 2, "seats_max": 3})).await;
    assert_eq!((hook().await.status, key().await.status), (201, 201));

    let usage = firm.ask(Method::GET, "/v1/usage", None).await.json();
    assert_eq!(usage["webhooks"], json!({"used": 2, "limit": 2}), "{usage}");
    assert_eq!(usage["seats"], json!({"used": 3, "limit": 3}), "{usage}");

    let plan = |code: &str| format!("/v1/admin/plans/{code}");
    let in_use = firm.rule(Method::DELETE, &plan("basic"), None).await;
    assert_eq!(in_use.problem().1, "conflict");
    firm.put_plan("large", json!({})).await;
    assert_eq!(firm.rule(Method::DELETE, &plan("large"), None).await.status, 204);
    assert_eq!(firm.rule(Method::GET, &plan("large"), None).await.status, 404);
}

#[actix_web::test]
async fn what_is_wrong_with_a_request_is_named_and_nothing_is_written() {
    let firm = Firm::open().await;
    firm.tick().await;
    let invoice = firm.newest().await;
    let (before, owed) = (firm.invoices().await, firm.owes().await);
    let of = |what: &str| format!("/v1/admin/invoices/{}/{what}", id(&invoice));
    let tenant = |what: &str| firm.of_tenant(what);
    let nobody = "/v1/admin/tenants/ten_019a2b3c4d5e7f808192a3b4c5d6e7f1";
    let long = "x".repeat(501);
    for (method, path, body, status, pointer) in [
        (Method::POST, of("pay"), json!({"amount_minor": -1}), 422, "/amount_minor"),
        (Method::POST, of("pay"), json!({"amount_minor": 0}), 422, "/amount_minor"),
        (Method::POST, of("pay"), json!({"amount_minor": 1_493}), 422, "/amount_minor"),
        (Method::POST, of("pay"), json!({"amount_minor": i64::MAX}), 422, "/amount_minor"),
        (Method::POST, of("pay"), json!({"amount_minor": i64::MIN}), 422, "/amount_minor"),
        (
            Method::POST,
            of("pay"),
            json!({"amount_minor": 9_300_000_000_000_000_000_u64}),
            400,
            "/amount_minor",
        ),
        (Method::POST, of("pay"), json!({"amount_minor": 1.5}), 400, "/amount_minor"),
        (Method::POST, of("pay"), json!({"currency": "USD"}), 422, "/currency"),
        (Method::POST, of("pay"), json!({"currency": "XYZ"}), 400, "/currency"),
        (Method::POST, of("pay"), json!({"currency": "eur"}), 400, "/currency"),
        (Method::POST, of("pay"), json!({"reference": &long[..256]}), 422, "/reference"),
        (Method::POST, of("pay"), json!({"reference": "a\u{0}b"}), 422, "/reference"),
        (Method::POST, of("pay"), json!({"amount": 1}), 400, "/amount"),
        (
            Method::POST,
            of("credit-notes"),
            json!({"amount_minor": 1_493, "reason": "all"}),
            422,
            "/amount_minor",
        ),
        (
            Method::POST,
            of("credit-notes"),
            json!({"amount_minor": i64::MIN, "reason": "all"}),
            422,
            "/amount_minor",
        ),
        (Method::POST, of("credit-notes"), json!({"amount_minor": 1}), 400, "/reason"),
        (Method::POST, of("credit-notes"), json!({"amount_minor": 1, "reason": " "}), 422, "/reason"),
        (Method::POST, of("credit-notes"), json!({"amount_minor": 1, "reason": long}), 422, "/reason"),
        (
            Method::POST,
            of("checkout"),
            json!({"done_url": "javascript:1", "given_up_url": "https://a.b/"}),
            422,
            "/done_url",
        ),
        (
            Method::POST,
            tenant("credits"),
            json!({"amount_minor": 0, "currency": "EUR"}),
            422,
            "/amount_minor",
        ),
        (
            Method::POST,
            tenant("credits"),
            json!({"amount_minor": i64::MAX, "currency": "EUR"}),
            422,
            "/amount_minor",
        ),
        (Method::POST, tenant("credits"), json!({"amount_minor": 1, "currency": "XXX"}), 400, "/currency"),
        (Method::POST, tenant("credits"), json!({"amount_minor": 1}), 400, "/currency"),
        (
            Method::POST,
            tenant("refunds"),
            json!({"amount_minor": 1, "currency": "EUR"}),
            422,
            "/amount_minor",
        ),
        (
            Method::POST,
            tenant("refunds"),
            json!({"amount_minor": i64::MIN, "currency": "EUR"}),
            422,
            "/amount_minor",
        ),
        (Method::PATCH, tenant("subscription"), json!({}), 400, "/plan"),
        (Method::PATCH, tenant("subscription"), json!({"plan": "basic", "ends": true}), 400, "/plan"),
        (Method::PATCH, tenant("subscription"), json!({"ends": true, "when": "now"}), 400, "/when"),
        (Method::PATCH, tenant("subscription"), json!({"plan": "basic", "when": "later"}), 400, "/when"),
        (Method::PATCH, tenant("subscription"), json!({"plan": "nowhere"}), 422, "/plan"),
        (Method::GET, tenant("subscription/preview"), Value::Null, 400, "?plan"),
        (Method::GET, tenant("subscription/preview?plan=nowhere"), Value::Null, 422, "?plan"),
        (Method::PUT, tenant("billing-profile"), json!({"party": {"name": long}}), 422, "/party/name"),
        (
            Method::PUT,
            tenant("billing-profile"),
            json!({"party": {"address": vec!["a"; 9]}}),
            422,
            "/party/address",
        ),
        (Method::PUT, tenant("billing-profile"), json!({"party": {"name": "a\u{7}b"}}), 422, "/party/name"),
        (Method::PUT, tenant("billing-profile"), json!({"tax_rate_bps": 10_001}), 422, "/tax_rate_bps"),
        (Method::PUT, tenant("billing-profile"), json!({"tax_rate_bps": -1}), 400, "/tax_rate_bps"),
        (Method::GET, "/v1/admin/invoices?status=late".to_owned(), Value::Null, 400, "?status"),
        (Method::GET, "/v1/admin/invoices?tenant=1".to_owned(), Value::Null, 400, "?tenant"),
        (Method::GET, format!("{nobody}/subscription"), Value::Null, 404, ""),
        (Method::GET, format!("{nobody}/invoices"), Value::Null, 404, ""),
        (Method::GET, format!("{nobody}/ledger"), Value::Null, 404, ""),
        (Method::GET, format!("{nobody}/billing-profile"), Value::Null, 404, ""),
        (Method::POST, format!("{nobody}/credits"), json!({"amount_minor": 1, "currency": "EUR"}), 404, ""),
        (
            Method::GET,
            "/v1/admin/invoices/inv_019a2b3c4d5e7f808192a3b4c5d6e7f1".to_owned(),
            Value::Null,
            404,
            "",
        ),
        (
            Method::GET,
            "/v1/admin/credit-notes/crn_019a2b3c4d5e7f808192a3b4c5d6e7f1".to_owned(),
            Value::Null,
            404,
            "",
        ),
    ] {
        let body = Some(body).filter(|body| !body.is_null());
        let reply = firm.rule(method.clone(), &path, body.clone()).await;
        let (given, _, at) = reply.problem();
        assert_eq!((given, &*at), (status, pointer), "{method} {path} {body:?}: {}", reply.text);
    }
    assert_eq!((firm.invoices().await, firm.owes().await), (before, owed));
}

#[actix_web::test]
async fn an_invoice_takes_what_its_state_allows_and_the_ledger_adds_up_after_each_act() {
    let firm = Firm::open().await;
    firm.tick().await;
    let invoice = firm.newest().await;
    let act = async |what: &str, body: Value| {
        let path = format!("/v1/admin/invoices/{}/{what}", id(&invoice));
        let reply = firm.rule(Method::POST, &path, Some(body).filter(|body| !body.is_null())).await;
        let now = firm.newest().await;
        (
            reply.status,
            now["status"].as_str().unwrap().to_owned(),
            now["due_minor"].as_i64().unwrap(),
            firm.owes().await,
        )
    };
    let open = |due| (200, "open".to_owned(), due, due);
    assert_eq!(act("pay", json!({"amount_minor": 492})).await, open(1_000));
    let (status, state, due, owes) =
        act("credit-notes", json!({"amount_minor": 300, "reason": "outage"})).await;
    assert_eq!((status, &*state, due, owes), (201, "open", 700, 700));
    assert_eq!(act("void", Value::Null).await.0, 409, "something was paid");
    assert_eq!(act("write-off", Value::Null).await, (200, "uncollectible".into(), 700, 0));
    assert_eq!(act("credit-notes", json!({"amount_minor": 1, "reason": "x"})).await.0, 409);
    assert_eq!(act("pay", json!({"amount_minor": 700})).await, (200, "paid".into(), 0, 0), "paid after all");
    assert_eq!(act("pay", Value::Null).await.0, 409);
    // What had been paid and is taken back is to the tenant's credit, and goes back at most once.
    assert_eq!(
        act("credit-notes", json!({"amount_minor": 200, "reason": "sorry"})).await,
        (201, "paid".into(), 0, -200)
    );
    let refunds = firm.of_tenant("refunds");
    let refund = |minor: i64| Some(json!({"amount_minor": minor, "currency": "EUR"}));
    assert_eq!(firm.rule(Method::POST, &refunds, refund(201)).await.status, 422);
    let gone = firm.rule(Method::POST, &refunds, refund(200)).await;
    assert_eq!((gone.status, &gone.json()["amount_minor"]), (201, &json!(200)), "{}", gone.text);
    assert_eq!(firm.owes().await, 0);

    let path = firm.of_tenant("ledger?limit=3");
    let (mut seen, mut next) = (vec![], Some(path.clone()));
    while let Some(at) = next {
        let page = firm.rule(Method::GET, &at, None).await.json();
        seen.extend(page["data"].as_array().unwrap().clone());
        next = page["next_cursor"].as_str().map(|cursor| format!("{path}&cursor={cursor}"));
    }
    let sum: i64 = seen.iter().map(|entry| entry["amount_minor"].as_i64().unwrap()).sum();
    assert_eq!((seen.len(), sum), (8, 0), "{seen:?}");
    let audit = firm.rule(Method::GET, "/v1/admin/audit?limit=200", None).await.json();
    let actions: Vec<_> =
        audit["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    for (action, times) in
        [("invoice.pay", 2), ("invoice.credit", 2), ("invoice.write_off", 1), ("ledger.adjust", 1)]
    {
        assert_eq!(actions.iter().filter(|one| **one == action).count(), times, "{action} in {actions:?}");
    }
}

#[actix_web::test]
async fn the_same_request_twice_is_one_effect_and_another_with_its_key_is_refused() {
    let firm = Firm::open().await;
    firm.tick().await;
    let invoice = firm.newest().await;
    let of = |what: &str| format!("/v1/admin/invoices/{}/{what}", id(&invoice));
    for (number, (path, body, other)) in [
        (of("pay"), json!({"amount_minor": 100}), json!({"amount_minor": 101})),
        (
            of("credit-notes"),
            json!({"amount_minor": 50, "reason": "a"}),
            json!({"amount_minor": 50, "reason": "b"}),
        ),
        (
            firm.of_tenant("credits"),
            json!({"amount_minor": 10, "currency": "EUR"}),
            json!({"amount_minor": 11, "currency": "EUR"}),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{number}");
        let first = firm.send(keyed(&firm, &path, &key, body.clone())).await;
        assert!(first.status < 300 && first.header("idempotency-replayed").is_empty(), "{}", first.text);
        let owed = firm.owes().await;
        let again = firm.send(keyed(&firm, &path, &key, body)).await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (first.status, "true"), "{path}");
        assert_eq!(again.json(), first.json(), "{path}");
        let mismatch = firm.send(keyed(&firm, &path, &key, other)).await;
        assert_eq!(mismatch.problem().1, "idempotency_mismatch", "{path}");
        assert_eq!(firm.owes().await, owed, "{path}");
    }
    let borrowed = firm.send(keyed(
        &firm,
        "/v1/admin/plans",
        "key-0",
        json!({
            "code": "x", "name": "x", "price_minor": 0, "currency": "EUR", "interval": "month",
            "messages_per_minute": 1, "messages_per_month": 1, "sessions_max": 1, "retention_days": 1,
        }),
    ));
    assert_eq!(
        borrowed.await.problem().1,
        "idempotency_mismatch",
        "a key is one among all an operator's requests"
    );
}

#[actix_web::test]
async fn papers_are_pages_that_run_nothing_and_documents_with_their_numbers() {
    let firm = Firm::open().await;
    let name = "<script>alert(1)</script> & Söhne";
    let profile =
        json!({"party": {"name": name, "address": ["Hauptstraße 1", "10115 Berlin"], "tax_id": "DE1"}});
    let put = firm.rule(Method::PUT, &firm.of_tenant("billing-profile"), Some(profile.clone())).await;
    assert_eq!((put.status, &put.json()["party"]["name"]), (200, &json!(name)));
    firm.tick().await;
    let invoice = firm.newest().await;
    let notes = format!("/v1/admin/invoices/{}/credit-notes", id(&invoice));
    let note = firm
        .rule(Method::POST, &notes, Some(json!({"amount_minor": 92, "reason": "An outage"})))
        .await
        .json();
    let whole = firm.rule(Method::GET, &format!("/v1/admin/invoices/{}", id(&invoice)), None).await.json();
    assert_eq!(whole["credit_notes"], json!([note]));

    for (path, number) in [
        (format!("/v1/invoices/{}", id(&invoice)), "INV-000001"),
        (format!("/v1/admin/invoices/{}", id(&invoice)), "INV-000001"),
        (format!("/v1/credit-notes/{}", id(&note)), "CRN-000001"),
        (format!("/v1/admin/credit-notes/{}", id(&note)), "CRN-000001"),
    ] {
        let token = if path.contains("admin") { firm.state.operator.expose() } else { &firm.key };
        let get = |accept: &str| request(Method::GET, &path, token, None).insert_header(("accept", accept));
        let page = firm.send(get("text/html,*/*;q=0.8")).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.text.contains(number) && page.text.contains("&lt;script&gt;"), "{}", page.text);
        assert!(!page.text.contains("<script"), "{}", page.text);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("sandbox"), "{policy}");
        assert_eq!(page.header("content-disposition"), format!("inline; filename=\"{number}.html\""));
        let paper = firm.send(get("application/pdf")).await;
        assert!(paper.text.starts_with("%PDF-"));
        assert_eq!(paper.header("content-disposition"), format!("attachment; filename=\"{number}.pdf\""));
        assert_eq!(paper.header("x-content-type-options"), "nosniff");
        assert_eq!(firm.send(get("application/json")).await.json()["number"], number);
    }
}

#[actix_web::test]
async fn a_tenant_sees_its_own_papers_and_nobody_elses() {
    let firm = Firm::open().await;
    firm.tick().await;
    let invoice = firm.newest().await;
    let made = json!({"name": "Other", "plan": "basic"});
    let other = firm.rule(Method::POST, "/v1/admin/tenants", Some(made)).await.json();
    let keys = format!("/v1/admin/tenants/{}/keys", id(&other));
    let key = firm.rule(Method::POST, &keys, Some(json!({"name": "x"}))).await.json();
    let key = key["key"].as_str().unwrap().to_owned();
    firm.tick().await;
    let ask = async |path: &str| firm.send(request(Method::GET, path, &key, None)).await;
    assert_eq!(ask(&format!("/v1/invoices/{}", id(&invoice))).await.status, 404);
    let theirs = ask("/v1/invoices").await.json();
    assert_eq!(theirs["data"].as_array().unwrap().len(), 1);
    assert_eq!(theirs["data"][0]["tenant"], other["id"]);
    assert_eq!(ask("/v1/subscription").await.json()["tenant"], other["id"]);
    assert_eq!(ask("/v1/admin/invoices").await.status, 401);
    let all = firm.rule(Method::GET, "/v1/admin/invoices?status=open", None).await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);

    // A deleted tenant's papers stay with the operator.
    assert_eq!(
        firm.rule(Method::DELETE, &format!("/v1/admin/tenants/{}", id(&other)), None).await.status,
        204
    );
    let kept = firm.rule(Method::GET, &format!("/v1/admin/tenants/{}/invoices", id(&other)), None).await;
    assert_eq!((kept.status, kept.json()["data"].as_array().unwrap().len()), (200, 1), "{}", kept.text);
}

#[actix_web::test]
async fn without_a_provider_links_say_what_to_do_instead() {
    let firm = Firm::open().await;
    firm.tick().await;
    let path = format!("/v1/invoices/{}/checkout", id(&firm.newest().await));
    let back = json!({"done_url": "https://example.com/", "given_up_url": "https://example.com/"});
    let link = firm.ask(Method::POST, &path, Some(back)).await;
    assert_eq!(link.problem().1, "unsupported");
    assert!(link.json()["detail"].as_str().unwrap().contains("/pay"), "{}", link.text);
    let portal =
        firm.ask(Method::POST, "/v1/billing/portal", Some(json!({"back_url": "https://example.com/"}))).await;
    assert_eq!(portal.problem().1, "unsupported");
    let notice =
        firm.send(TestRequest::post().uri("/v1/payments/stripe").peer_addr("192.0.2.1:1".parse().unwrap()));
    assert_eq!(notice.await.status, 404);
}

#[actix_web::test]
async fn usage_by_day_is_the_same_as_pages_as_a_table_and_as_lines() {
    let firm = Firm::open().await;
    firm.tick().await;
    for days in [0, 1, 1] {
        firm.wait_days(days).await;
        for _ in 0..2 {
            assert_eq!(firm.message().await.status, 202);
        }
    }
    let (mut pages, mut next) = (vec![], Some("/v1/usage/days?limit=2".to_owned()));
    while let Some(path) = next {
        let page = firm.ask(Method::GET, &path, None).await.json();
        pages.extend(page["data"].as_array().unwrap().clone());
        next = page["next_cursor"].as_str().map(|cursor| format!("/v1/usage/days?limit=2&cursor={cursor}"));
    }
    let session = firm.stage.session.to_string();
    let row = |day: &str| json!({"day": day, "session": session, "sent": 2, "failed": 0, "received": 0});
    let days = ["2026-11-18", "2026-11-19", "2026-11-20"];
    assert_eq!(pages, days.map(row));
    let get = async |accept: &str| {
        firm.send(request(Method::GET, "/v1/usage/days", &firm.key, None).insert_header(("accept", accept)))
            .await
            .text
    };
    let table = get("text/csv").await;
    let lines: Vec<_> = days.iter().map(|day| format!("{day},{session},2,0,0\r\n")).collect();
    assert_eq!(table, format!("day,session,sent,failed,received\r\n{}", lines.concat()));
    let lines = get("application/x-ndjson").await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, pages);
    let one = firm.ask(Method::GET, "/v1/usage/days?from=2026-11-19&to=2026-11-19", None).await.json();
    assert_eq!(one["data"], json!([row("2026-11-19")]));

    for (query, pointer) in [
        ("from=2026-11-20&to=2026-11-19", "?to"),
        ("from=2020-01-01", "?from"),
        ("from=20201-01-01", "?from"),
        ("from=1999-12-31&to=2000-01-01", "?from"),
        ("from=yesterday", "?from"),
        ("cursor=AQ", "?cursor"),
    ] {
        let refused = firm.ask(Method::GET, &format!("/v1/usage/days?{query}"), None).await.problem();
        assert_eq!((refused.0, &*refused.2), (400, pointer), "{query}");
    }
}
