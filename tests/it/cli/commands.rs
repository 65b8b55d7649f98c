//! Every command on a real server: what people see, what programs get.

use std::sync::Arc;

use serde_json::{Value, json};

use tempfile::TempDir;

use super::{Desk, run, run_with};
use crate::support::api::{ANNA, BERT};
use crate::support::receiver::Receiver;
use crate::support::server::{BODY_MARK, Server};

/// The head of a table and its rows, by runs of two blanks and more.
fn table(text: &str) -> (Vec<&str>, Vec<Vec<&str>>) {
    fn cells(line: &str) -> Vec<&str> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
    }
    let mut lines = text.lines();
    (cells(lines.next().expect("a head")), lines.map(cells).collect())
}

#[tokio::test]
async fn an_operator_makes_plans_tenants_and_keys_and_takes_them_back() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let (head, rows) = (
        &desk.run(&["plan", "list"]).await.good(),
        ["basic", "business", "business-yearly", "quickstart", "starter"],
    );
    let (head, found) = table(head);
    assert_eq!(head[0], "CODE");
    assert_eq!(found.iter().map(|row| row[0]).collect::<Vec<_>>(), rows);

    // What is not said stays; what a file says is taken; a flag wins over the file.
    let file = server.dir().path().join("plan.json");
    std::fs::write(&file, r#"{"messages_per_minute": 7, "sessions_max": 4}"#).unwrap();
    let put =
        ["plan", "put", "basic", "--file", file.to_str().unwrap(), "--messages-per-minute", "30", "--json"];
    let plan = desk.run(&put).await.json();
    assert_eq!((&plan["messages_per_minute"], &plan["sessions_max"]), (&json!(30), &json!(4)), "{plan}");
    assert_eq!((&plan["pacing"], &plan["messages_per_month"]), (&json!("none"), &json!(1000)), "{plan}");
    assert_eq!(desk.run(&["plan", "show", "basic", "--json"]).await.json(), plan);

    let made = desk.run(&["tenant", "create", "Bolt", "--plan", "basic"]).await;
    assert!(
        made.out.starts_with("made ten_") && made.err.contains("next: columba key create --tenant ten_"),
        "{made:?}"
    );
    let list = desk.run(&["tenant", "list"]).await.good();
    let (head, rows) = table(&list);
    assert_eq!(head, ["ID", "NAME", "PLAN", "STATUS", "CREATED"]);
    assert_eq!(rows.iter().map(|row| row[1]).collect::<Vec<_>>(), ["Bolt", "Acme"]);
    let bolt = rows[0][0];
    let listed = desk.run(&["tenant", "list", "--json"]).await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["has_more"]), (&json!(bolt), &json!(false)));
    // Page by page or all at once: the same rows.
    let page = desk.run(&["tenant", "list", "--limit", "1"]).await;
    assert!(
        page.err.contains("--all") && page.out.contains("Bolt") && !page.out.contains("Acme"),
        "{page:?}"
    );
    assert_eq!(desk.run(&["tenant", "list", "--all", "--json"]).await.json(), listed);

    let changed =
        desk.run(&["tenant", "change", bolt, "--name", "Bolt Ltd", "--plan", "quickstart", "--json"]).await;
    let changed = changed.json();
    assert_eq!((&changed["name"], &changed["plan"]), (&json!("Bolt Ltd"), &json!("quickstart")));
    let shown = desk.run(&["tenant", "show", bolt]).await.good();
    assert!(shown.lines().any(|line| line == "name     Bolt Ltd"), "{shown}");

    let create =
        ["key", "create", "--tenant", bolt, "--name", "reader", "--scope", "read", "--test", "--json"];
    let key = desk.run(&create).await.json();
    assert_eq!((&key["scopes"], &key["test"]), (&json!(["read"]), &json!(true)), "{key}");
    let id = key["id"].as_str().unwrap();
    let text = key["key"].as_str().unwrap();
    let refused = desk.run(&["session", "create", "x", "--key", text]).await;
    assert_eq!(refused.code, 77);
    assert!(refused.err.contains("--scope"), "{}", refused.err);
    desk.run(&["key", "revoke", id, "--yes"]).await.good();
    let keys = desk.run(&["key", "list", "--tenant", bolt, "--json"]).await.json();
    assert!(keys["data"][0]["revoked_at"].is_string(), "{keys}");
    assert!(!keys.to_string().contains(text), "its text is shown once");
    assert_eq!(desk.run(&["session", "list", "--key", text]).await.code, 77);

    assert_eq!(desk.run(&["tenant", "delete", bolt]).await.code, 64, "nobody was asked");
    desk.run(&["tenant", "show", bolt]).await.good();
    assert_eq!(desk.run(&["tenant", "delete", bolt, "--yes"]).await.word(), format!("deleted {bolt}"));
    assert_eq!(desk.run(&["tenant", "show", bolt]).await.code, 66);
    server.finish().await;
}

#[tokio::test]
async fn an_operator_bills_shows_prints_takes_back_and_marks_as_paid() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let tiers = r#"[{"up_to": 10, "price_minor": 5}, {"price_minor": 25, "per": 10}]"#;
    let create = [
        "plan",
        "create",
        "paid",
        "--price-minor",
        "310000",
        "--messages-per-minute",
        "5",
        "--messages-per-month",
        "10",
        "--quota",
        "soft",
        "--overage-tiers",
        tiers,
        "--sessions-max",
        "1",
        "--suspended-inbound",
        "keep",
        "--json",
    ];
    let plan = desk.run(&create).await.json();
    assert_eq!((&plan["overage_tiers"][1]["per"], &plan["trial_days"]), (&json!(10), &json!(0)), "{plan}");
    let put = ["plan", "put", "paid", "--overage-minor", "7", "--json"];
    let plan = desk.run(&put).await.json();
    assert_eq!(
        (&plan["overage_minor"], &plan["overage_tiers"]),
        (&json!(7), &json!([])),
        "one price list for another"
    );

    let (tenant, acme) = server.operator().tenant("Acme", "paid").await;
    let tenant = tenant.as_str();
    let mut feed = acme.feed(json!({"op": "subscribe", "events": ["billing"]})).await;
    let in_use = desk.run(&["plan", "delete", "paid", "--yes"]).await;
    assert!(in_use.code != 0 && in_use.err.contains("columba subscription change"), "{in_use:?}");
    let spare = [
        "plan",
        "create",
        "spare",
        "--messages-per-minute",
        "1",
        "--messages-per-month",
        "1",
        "--sessions-max",
        "1",
        "--webhooks-max",
        "3",
        "--seats-max",
        "2",
        "--plugin",
        "echo",
        "--json",
    ];
    let spare = desk.run(&spare).await.json();
    assert_eq!(
        (&spare["webhooks_max"], &spare["seats_max"], &spare["plugins"]),
        (&json!(3), &json!(2), &json!(["echo"]))
    );
    assert_eq!(desk.run(&["plan", "delete", "spare"]).await.code, 64, "nobody was asked");
    assert_eq!(desk.run(&["plan", "delete", "spare", "--yes"]).await.good().trim(), "deleted spare");
    let list = ["invoice", "list", "--tenant", tenant, "--status", "open", "--json"];
    if desk.run(&list).await.json()["data"].as_array().unwrap().is_empty() {
        feed.until(tenant, "invoice_issued").await;
    }
    let invoice = desk.run(&list).await.json()["data"][0].clone();
    let (id, number) = (invoice["id"].as_str().unwrap(), invoice["number"].as_str().unwrap());
    let listed = desk.run(&["invoice", "list", "--tenant", tenant]).await.good();
    let (head, found) = table(&listed);
    assert_eq!(head, ["ID", "NUMBER", "TENANT", "STATUS", "TOTAL", "DUE", "PAY BY"]);
    assert_eq!((found.len(), found[0][0], found[0][1], found[0][3]), (1, id, number, "open"));
    let shown = desk.run(&["invoice", "show", id]).await.good();
    assert!(shown.contains(number) && shown.lines().any(|line| line.starts_with("paid  ")), "{shown}");

    let to = server.dir().path().join("paper.pdf");
    let print = ["invoice", "pdf", id, "--to", to.to_str().unwrap()];
    assert!(desk.run(&print).await.good().starts_with("wrote "));
    assert!(std::fs::read(&to).unwrap().starts_with(b"%PDF-"));
    assert_ne!(desk.run(&print).await.code, 0, "what is there is not written over");

    let credit = ["invoice", "credit", id, "--amount-minor", "100", "--reason", "An outage"];
    assert!(desk.run(&credit).await.out.starts_with("issued CRN-"));
    let shown = desk.run(&["invoice", "show", id]).await.good();
    let note = shown.lines().find(|line| line.starts_with("CRN-")).expect("its credit note");
    assert!(note.contains("EUR 1.00") && note.ends_with("An outage"), "{note}");
    let note = note.split_whitespace().nth(1).unwrap();
    let to = server.dir().path().join("note.pdf");
    assert!(
        desk.run(&["invoice", "pdf", note, "--to", to.to_str().unwrap()]).await.good().starts_with("wrote ")
    );
    assert!(std::fs::read(&to).unwrap().starts_with(b"%PDF-"));
    assert_eq!(desk.run(&["invoice", "pdf", "ten_1"]).await.code, 64);
    assert_eq!(desk.run(&["invoice", "void", id]).await.code, 64, "nobody was asked");
    assert_ne!(desk.run(&["invoice", "void", id, "--yes"]).await.code, 0, "something was credited");
    assert!(desk.run(&["invoice", "pay", id, "--amount-minor", "1"]).await.out.contains(" is open, "));
    assert!(
        desk.run(&["invoice", "pay", id, "--reference", "transfer 7"])
            .await
            .out
            .contains(" is paid, EUR 0.00 left")
    );
    assert_ne!(desk.run(&["invoice", "pay", id]).await.code, 0, "nothing is due");

    let said = [
        "billing",
        "profile",
        tenant,
        "--name",
        "Acme Ltd",
        "--address",
        "1 Main Street",
        "--address",
        "Berlin",
        "--json",
    ];
    let profile = desk.run(&said).await.json();
    assert_eq!(profile["party"]["address"], json!(["1 Main Street", "Berlin"]));
    let more = desk.run(&["billing", "profile", tenant, "--tax-rate-bps", "1900"]).await.good();
    assert!(more.contains("Acme Ltd") && more.contains("1900"), "what is not said stays: {more}");
    desk.run(&["billing", "credit", tenant, "--amount-minor", "50", "--currency", "EUR"]).await.good();
    desk.run(&["billing", "refund", tenant, "--amount-minor", "50", "--currency", "EUR"]).await.good();
    assert_ne!(
        desk.run(&["billing", "refund", tenant, "--amount-minor", "1", "--currency", "EUR"]).await.code,
        0
    );
    let ledger = desk.run(&["billing", "ledger", tenant]).await.good();
    let (_, entries) = table(&ledger);
    let kinds: Vec<_> = entries.iter().map(|row| row[2]).collect();
    assert_eq!(kinds, ["refund", "grant", "payment", "payment", "credit_note", "invoice"]);

    let subscription = desk.run(&["subscription", "show", tenant]).await.good();
    assert!(subscription.contains("active") && subscription.contains("EUR 3,100.00"), "{subscription}");
    desk.run(&["subscription", "preview", tenant, "--plan", "paid"]).await.good();
    let next = desk.run(&["subscription", "change", tenant, "--plan", "quickstart", "--json"]).await.json();
    assert_eq!(next["next_plan"], "quickstart", "a cheaper plan begins with the next period");
    let kept = desk.run(&["subscription", "change", tenant, "--keep", "--json"]).await.json();
    assert_eq!(kept["next_plan"], Value::Null);
    assert_eq!(desk.run(&["subscription", "cancel", tenant]).await.code, 64, "nobody was asked");
    assert_eq!(desk.run(&["subscription", "cancel", tenant, "--yes", "--json"]).await.json()["ends"], true);
    assert_eq!(desk.run(&["subscription", "reactivate", tenant, "--json"]).await.json()["ends"], false);
    desk.run(&["subscription", "cancel", tenant, "--now", "--yes"]).await.good();
    assert_eq!(desk.run(&["subscription", "reactivate", tenant, "--json"]).await.json()["status"], "active");
    server.finish().await;
}

#[tokio::test]
async fn usage_is_shown_and_exported_with_the_tenants_key_or_the_operators_token() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let tenant = desk.run(&["tenant", "list", "--json"]).await.json()["data"][0]["id"].clone();
    let tenant = tenant.as_str().unwrap();
    let session = desk.connected().await;
    desk.run(&["message", "send", &session, "--to", ANNA, "--text", "x", "--wait", "sent"]).await.good();
    for whose in [&[][..], &["--tenant", tenant]] {
        let ask = async |more: &[&str]| desk.run(&[&["usage"], more, whose].concat()).await;
        let shown = ask(&["show"]).await.good();
        assert!(shown.lines().any(|line| line.split_whitespace().eq(["messages", "1"])), "{shown}");
        assert_eq!(ask(&["show", "--quiet"]).await.good().trim(), "1");
        let (head, days) = (&ask(&["days"]).await.good(), 1);
        let (head, rows) = table(head);
        assert_eq!(
            (head, rows.len(), rows[0][1]),
            (vec!["DAY", "SESSION", "SENT", "FAILED", "CAME IN"], days, &*session)
        );
        let csv = ask(&["days", "--export", "csv"]).await.good();
        assert!(csv.starts_with("day,session,sent,failed,received") && csv.contains(&session), "{csv}");
    }
    let to = server.dir().path().join("days.ndjson");
    let export = [
        "usage",
        "days",
        "--from",
        "2020-01-01",
        "--until",
        "2020-12-31",
        "--export",
        "ndjson",
        "--to",
        to.to_str().unwrap(),
    ];
    assert!(desk.run(&export).await.good().starts_with("wrote "));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "");
    assert_eq!(desk.run(&["usage", "days", "--from", "tomorrow"]).await.code, 65);
    let nobody = ["usage", "show", "--tenant", "ten_019a2b3c4d5e7f808192a3b4c5d6e7f1"];
    let nobody = desk.run(&nobody).await;
    assert!(nobody.code == 66 && nobody.err.contains("columba tenant list"), "{nobody:?}");
    server.finish().await;
}

#[tokio::test]
async fn a_session_is_made_paired_stopped_restarted_logged_out_and_deleted() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let empty = desk.run(&["session", "list"]).await;
    assert!(empty.out.is_empty() && empty.err.contains("columba session create"), "{empty:?}");
    let created = ["session", "create", "sales", "--metadata", "team=north", "--json"];
    let made = desk.run(&created).await.json();
    assert_eq!(made["metadata"], json!({"team": "north"}));
    let session = made["id"].as_str().unwrap();

    let paired = desk.run(&["session", "start", session, "--qr", "--play-phone"]).await.good();
    let steps: Vec<&str> = paired.lines().filter(|line| line.starts_with('✓')).collect();
    assert_eq!(steps, ["✓ started", "✓ code shown", "✓ scanned: credentials are kept", "✓ connected"]);
    assert!(paired.contains("code 1 of 7, "), "{paired}");
    let picture: Vec<&str> = paired.lines().filter(|line| line.contains('█')).collect();
    assert!(picture.len() > 20 && !paired.contains('\x1b'), "{paired}");

    let again = desk.run(&["session", "pair", session, "--json"]).await.json();
    assert_eq!(again["status"], "connected", "it was: nothing to pair");
    let shown = desk.run(&["session", "show", session]).await.good();
    assert!(shown.lines().any(|line| line.starts_with("status") && line.ends_with("connected")), "{shown}");
    let (head, rows) = (desk.run(&["session", "list"]).await.good(), 1);
    assert_eq!((table(&head).0[0], table(&head).1.len()), ("ID", rows));

    // The operator sees the fleet, with whose each is.
    let fleet = desk.run(&["session", "list", "--fleet"]).await.good();
    assert_eq!(table(&fleet).0[1], "TENANT");
    let tenant = desk.run(&["tenant", "list", "-q"]).await.word();
    let parked = ["session", "list", "--tenant", &tenant, "--status", "parked", "--json"];
    assert_eq!(desk.run(&parked).await.json()["data"], json!([]));
    let connected = ["session", "list", "--tenant", &tenant, "--status", "connected", "-q"];
    assert_eq!(desk.run(&connected).await.word(), session);

    // An address comes from a file or a pipe, and is repeated nowhere; the sandbox reaches no network.
    let proxy = ["session", "proxy", session, "--from", "-"];
    let refused = run_with(&proxy, &desk.environment(), "socks5://u:hunter2@proxy.example\n").await;
    assert!(refused.code != 0 && refused.err.contains("takes no proxy"), "{refused:?}");
    assert!(!refused.err.contains("hunter2"), "{refused:?}");
    let cleared = desk.run(&["session", "proxy", session, "--clear"]).await;
    assert!(
        cleared.out.starts_with("took away the proxy of") && cleared.err.contains("restart"),
        "{cleared:?}"
    );
    assert_eq!(desk.run(&["session", "proxy", session, "--clear", "-q"]).await.word(), session);
    assert_eq!(desk.run(&["session", "proxy", session]).await.code, 64, "one or the other");

    for verb in ["restart", "stop", "start"] {
        let ran = desk.run(&["session", verb, session, "-q"]).await;
        assert_eq!(ran.word(), session, "{verb}");
    }
    desk.run(&["session", "logout", session, "--yes"]).await.good();
    let cleared = desk.run(&["session", "clear-queue", session, "--yes"]).await.word();
    assert_eq!(cleared, "canceled 0");
    desk.run(&["session", "delete", session, "-y"]).await.good();
    assert_eq!(desk.run(&["session", "show", session]).await.code, 66);
    server.finish().await;
}

#[tokio::test]
async fn a_code_to_be_typed_is_shown_and_a_session_nobody_pairs_is_given_up() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let session = desk.run(&["session", "create", "sales", "-q"]).await.word();
    let mut feed = server.api(&desk.key).feed(json!({"op": "subscribe"})).await;
    desk.run(&["session", "start", &session]).await.good();
    feed.until(&session, "pairing").await;
    // From here on the first look finds a code, however slow the machine is.
    let pair = ["session", "pair", &session, "--phone", ANNA, "--timeout", "1"];
    let ran = desk.run(&pair).await;
    assert_eq!(ran.code, 75, "{ran:?}");
    let is_typed = |line: &&str| {
        let code = line.trim();
        code.len() == 9 && code.as_bytes()[4] == b'-'
    };
    assert_eq!(ran.out.lines().filter(is_typed).count(), 1, "{}", ran.out);
    assert!(ran.err.contains("not connected after 1 s; the session is pairing"), "{}", ran.err);
    server.finish().await;
}

#[tokio::test]
async fn a_message_is_sent_watched_listed_and_canceled() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let session = desk.connected().await;

    let sent =
        desk.run(&["message", "send", &session, "--to", ANNA, "--text", BODY_MARK, "--wait", "read"]).await;
    let said = sent.good();
    let words: Vec<&str> = said.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let id = words[0];
    assert!(id.starts_with("msg_"), "{said}");
    assert_eq!(words[1..], ["queued", "sending", "sent", "delivered", "read"]);
    let record = desk.run(&["message", "get", id, "--json"]).await.json();
    assert_eq!((&record["status"], &record["text"]["body"]), (&json!("read"), &json!(BODY_MARK)));
    let shown = desk.run(&["message", "get", id]).await.good();
    assert!(shown.contains("  delivered  ") && shown.contains(BODY_MARK), "{shown}");

    // From standard input, as a body or as a text; the same key twice is one message.
    let body = json!({"to": BERT, "type": "text", "text": {"body": BODY_MARK}}).to_string();
    let whole = [
        "message",
        "send",
        &session,
        "--body",
        "-",
        "--client-ref",
        "order-7",
        "-q",
        "--idempotency-key",
        "k7",
    ];
    let first = run_with(&whole, &desk.environment(), &body).await.word();
    assert_eq!(run_with(&whole, &desk.environment(), &body).await.word(), first);
    let found = desk.run(&["message", "list", "--client-ref", "order-7", "-q"]).await.word();
    assert_eq!(found, first);
    let piped = ["message", "send", &session, "--to", ANNA, "--text", "-", "--wait", "--json"];
    let last: Value = run_with(&piped, &desk.environment(), "two\nlines\n").await.json();
    assert_eq!(last["text"]["body"], "two\nlines");

    let list = desk.run(&["message", "list", "--session", &session, "--chat", ANNA]).await.good();
    let (head, rows) = table(&list);
    assert_eq!((head[0], rows.len()), ("ID", 2), "{list}");

    // What fails says why, and what waits can be taken back.
    let failed =
        desk.run(&["message", "send", &session, "--to", "+15550000404", "--text", "x", "--wait"]).await;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.err.contains("is failed: not_on_whatsapp"), "{}", failed.err);
    let stays = [
        "message",
        "send",
        &session,
        "--to",
        "+15550000200",
        "--text",
        "x",
        "--wait",
        "read",
        "--timeout",
        "2",
    ];
    let stays = desk.run(&stays).await;
    assert_eq!(stays.code, 75, "{stays:?}");
    assert!(stays.err.contains("is still ") && stays.err.contains("after 2 s"), "{}", stays.err);
    let later =
        ["message", "send", &session, "--to", ANNA, "--text", "x", "--send-at", "2999-01-01T00:00:00Z"];
    assert_eq!(desk.run(&later).await.code, 65, "at most 30 days ahead");
    desk.run(&["session", "stop", &session]).await.good();
    let waits = desk.run(&["message", "send", &session, "--to", ANNA, "--text", "x", "-q"]).await.word();
    assert_eq!(desk.run(&["message", "cancel", &waits]).await.word(), format!("canceled {waits}"));
    server.finish().await;
}

#[tokio::test]
async fn an_operator_makes_others_and_reads_and_verifies_what_they_did() {
    let server = Server::start().await;
    let desk = Desk::at(&server).await;
    let list = desk.run(&["operator", "list"]).await.good();
    let (head, rows) = table(&list);
    assert_eq!((head[..3].to_vec(), rows.len()), (vec!["ID", "NAME", "ROLE"], 1));
    assert_eq!((rows[0][1], rows[0][2]), ("root", "owner"));

    let made = desk.run(&["operator", "create", "on call"]).await;
    let viewer = made.out.lines().nth(1).unwrap().to_owned();
    assert!(made.out.starts_with("made opr_") && viewer.starts_with("col_op_"), "{made:?}");
    assert!(made.err.contains("keep it now") && made.err.contains("next: "), "{made:?}");
    desk.run(&["tenant", "list", "--token", &viewer]).await.good();
    let refused = desk.run(&["plan", "put", "basic", "--name", "x", "--token", &viewer]).await;
    assert_eq!(refused.code, 77);
    assert!(refused.err.contains("columba operator create NAME --role owner"), "{}", refused.err);
    let create =
        ["operator", "create", "eve", "--role", "owner", "--expires-at", "2999-01-01T00:00:00Z", "-q"];
    let owner = desk.run(&create).await.word();
    assert!(owner.starts_with("col_op_") && !owner.contains('\n'), "{owner}");
    let eve = desk.run(&["operator", "list", "--json"]).await.json()["data"][0].clone();
    assert_eq!((&eve["name"], &eve["role"]), (&json!("eve"), &json!("owner")));
    assert_eq!(eve["expires_at"], "2999-01-01T00:00:00.000Z");

    // People are asked in; whoever asks is shown the path of a page.
    let link = desk.run(&["operator", "setup-link", "-q"]).await.word();
    assert!(link.starts_with("/ui/setup#"), "{} characters", link.len());
    let invite = ["operator", "create", "Bea", "--role", "support", "--email", "Bea@Example.com"];
    let bea = desk.run(&invite).await;
    assert!(bea.out.lines().nth(1).unwrap().starts_with("/ui/welcome#"), "{bea:?}");
    assert!(bea.err.contains("keep it now") && bea.err.contains("in a browser"), "{bea:?}");
    let bea = desk.run(&["operator", "list", "--json"]).await.json()["data"][0].clone();
    assert_eq!((&bea["email"], &bea["role"]), (&json!("bea@example.com"), &json!("support")));
    let id = bea["id"].as_str().unwrap();
    assert_eq!(
        desk.run(&["operator", "change", id, "--role", "admin"]).await.word(),
        format!("changed {id}")
    );
    assert_eq!(desk.run(&["operator", "change", id]).await.code, 64, "to what");
    let reset = ["operator", "reset", "BEA@example.com"];
    assert_eq!(desk.run(&reset).await.code, 64, "nobody was asked");
    assert!(desk.run(&[&reset[..], &["-y", "-q"]].concat()).await.word().starts_with("/ui/welcome#"));
    let nobody = desk.run(&["operator", "reset", "eve@example.com", "-y"]).await;
    assert!(nobody.code == 66 && nobody.err.contains("columba operator list"), "{nobody:?}");
    assert_eq!(desk.run(&["operator", "setup-link"]).await.code, 1, "there is a person");

    // A key that is for one place only, and one that takes its place.
    let tenant = desk.run(&["tenant", "list", "-q"]).await.word();
    let elsewhere = [
        "key",
        "create",
        "--tenant",
        &tenant,
        "--name",
        "far",
        "--allow",
        "192.0.2.1",
        "--allow",
        "2001:db8::/32",
        "--token",
        &owner,
        "--json",
    ];
    let far = desk.run(&elsewhere).await.json();
    assert_eq!(far["allowed_addresses"], json!(["192.0.2.1", "2001:db8::/32"]));
    assert_eq!(desk.run(&["session", "list", "--key", far["key"].as_str().unwrap()]).await.code, 77);
    let keys = desk.run(&["key", "list", "--tenant", &tenant, "--json"]).await.json();
    let first = keys["data"][1]["id"].as_str().unwrap();
    let rotated = desk.run(&["key", "rotate", first, "--overlap", "1h"]).await;
    let next = rotated.out.lines().nth(1).unwrap().to_owned();
    assert!(rotated.out.contains(&format!("which takes the place of {first}")), "{rotated:?}");
    assert!(rotated.err.contains("keep it now") && rotated.err.contains("columba key revoke"), "{rotated:?}");
    for key in [&desk.key, &next] {
        desk.run(&["session", "list", "--key", key]).await.good();
    }
    let again = desk.run(&["key", "rotate", first]).await;
    assert_eq!(again.code, 1, "{again:?}");
    let next_id = desk.run(&["key", "list", "--tenant", &tenant, "--limit", "1", "-q"]).await.word();
    assert_eq!(desk.run(&["key", "rotate", &next_id, "--overlap", "0"]).await.code, 64, "nobody was asked");

    assert_eq!(
        desk.run(&["operator", "delete", eve["id"].as_str().unwrap()]).await.code,
        64,
        "nobody was asked"
    );
    let gone = desk.run(&["operator", "delete", eve["id"].as_str().unwrap(), "-y"]).await.word();
    assert_eq!(gone, format!("deleted {}", eve["id"].as_str().unwrap()));
    assert_eq!(desk.run(&["tenant", "list", "--token", &owner]).await.code, 77);

    let log = desk.run(&["audit", "list", "--actor", "eve"]).await.good();
    let (head, rows) = table(&log);
    assert_eq!(head, ["NUMBER", "AT", "WHO", "FROM", "DID", "TO"]);
    let did: Vec<_> = rows.iter().map(|row| (row[2], row[3], row[4])).collect();
    assert_eq!(did, [("eve", "127.0.0.1", "call.refused"), ("eve", "127.0.0.1", "key.create")]);
    let none = desk.run(&["audit", "list", "--actor", "nobody"]).await;
    assert!(none.out.is_empty() && !none.err.is_empty(), "{none:?}");
    let walked = desk.run(&["audit", "verify"]).await;
    let kept = walked.err.split("--head ").nth(1).unwrap().trim().to_owned();
    assert!(walked.out.contains("entries, each fits") && walked.out.contains(&kept), "{walked:?}");
    desk.run(&["operator", "create", "later", "-q"]).await.good();
    for offline in [&[][..], &["--offline"]] {
        let head = desk.run(&[&["audit", "verify", "-q", "--head", &kept], offline].concat()).await.word();
        assert_ne!(head, kept, "it has gone on, through what was kept");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_webhook_is_made_tried_changed_sent_again_rotated_and_deleted() {
    let loopback = [("COLUMBA__WEBHOOKS__ALLOW_PRIVATE", "127.0.0.1")];
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &loopback).await;
    let desk = Desk::at(&server).await;
    let receiver = Receiver::start().await;
    let empty = desk.run(&["webhook", "list"]).await;
    assert!(empty.out.is_empty() && empty.err.contains("columba webhook create"), "{empty:?}");

    let create =
        ["webhook", "create", &receiver.url(), "--event", "message.*,session.*", "--header", "x-env=prod"];
    let made = desk.run(&create).await;
    let lines: Vec<&str> = made.out.lines().collect();
    let id = lines[0].strip_prefix("made ").unwrap();
    assert!(id.starts_with("whk_") && lines[1].starts_with("whsec_"), "{made:?}");
    assert!(made.err.contains("keep it now"), "{made:?}");
    assert!(made.err.contains(&format!("next: columba webhook test {id}")), "{made:?}");

    let sent = desk.run(&["webhook", "test", id]).await;
    let delivery = sent.out.split(' ').next().unwrap();
    assert!(sent.err.contains(&format!("columba webhook delivery {delivery}")), "{sent:?}");
    let got = receiver.until("the test", |got| got.len() == 1).await;
    assert!(got[0].is_signed_with(lines[1]) && got[0].header("x-env") == "prod");
    // It was answered; that this is written takes a moment, and asks nothing of the endpoint.
    let settled = async {
        loop {
            let record = desk.run(&["webhook", "delivery", delivery, "--json"]).await.json();
            if record["status"] == "delivered" {
                break record;
            }
        }
    };
    let record = tokio::time::timeout(super::PATIENCE, settled).await.unwrap();
    assert_eq!(record["request"]["body"]["type"], "webhook.test");
    let shown = desk.run(&["webhook", "delivery", delivery]).await.good();
    assert!(shown.lines().last().unwrap().starts_with("  1  20"), "each attempt: {shown}");
    let list = desk.run(&["webhook", "deliveries", id, "--status", "delivered"]).await.good();
    let (head, rows) = table(&list);
    assert_eq!((head[0], rows.len(), rows[0][1]), ("ID", 1, "webhook.test"));
    let none = desk.run(&["webhook", "deliveries", id, "--status", "dead"]).await;
    assert!(none.out.is_empty() && none.err.contains("columba webhook test"), "{none:?}");

    // The same again; and while it is disabled what happens is kept for later.
    desk.run(&["webhook", "redeliver", delivery, "-q"]).await.good();
    receiver.until("it again", |got| got.len() == 2).await;
    let off = desk.run(&["webhook", "disable", id]).await;
    assert!(off.out.starts_with("disabled ") && off.err.contains("columba webhook enable"), "{off:?}");
    let refused = desk.run(&["webhook", "test", id]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(&format!("next: columba webhook enable {id}")), "{}", refused.err);
    desk.connected().await;
    let on = desk.run(&["webhook", "enable", id]).await;
    assert!(on.err.contains(&format!("columba webhook redeliver {id} --from")), "{on:?}");
    let span = ["--from", "2026-01-01T00:00:00Z", "--to", "2999-01-01T00:00:00Z"];
    let missed = desk.run(&[&["webhook", "redeliver", id], &span[..]].concat()).await;
    assert!(missed.out.ends_with(" are on their way\n") && !missed.out.starts_with('0'), "{missed:?}");
    receiver
        .until("what it missed", |got| got.iter().any(|one| one.json()["type"] == "session.connected"))
        .await;
    let none = desk.run(&[&["webhook", "redeliver", id, "--status", "dead", "-q"], &span[..]].concat()).await;
    assert_eq!(none.word(), "0");
    for wrong in [vec!["webhook", "redeliver", id], [&["webhook", "redeliver", delivery], &span[..]].concat()]
    {
        assert_eq!(desk.run(&wrong).await.code, 64, "{wrong:?}");
    }

    let change =
        ["webhook", "change", id, "--event", "webhook.*", "--description", "shop", "--no-headers", "--json"];
    let changed = desk.run(&change).await.json();
    assert_eq!((&changed["events"], &changed["headers"]), (&json!(["webhook.*"]), &json!([])), "{changed}");
    let nothing = desk.run(&["webhook", "change", id]).await;
    assert!(nothing.code == 64 && nothing.err.contains("--endpoint"), "{nothing:?}");
    let shown = desk.run(&["webhook", "show", id]).await.good();
    assert!(shown.lines().any(|line| line.starts_with("description") && line.ends_with("shop")), "{shown}");
    let list = desk.run(&["webhook", "list"]).await.good();
    assert_eq!((table(&list).0[..2].to_vec(), table(&list).1[0][0]), (vec!["ID", "URL"], id));

    let second = desk.run(&["webhook", "rotate", id, "-q"]).await.word();
    let rotated = desk.run(&["webhook", "rotate", id, "--overlap", "2h"]).await;
    assert!(rotated.out.contains("older ones sign along until 20"), "{rotated:?}");
    assert_eq!(desk.run(&["webhook", "rotate", id, "--overlap", "0"]).await.code, 64, "nobody was asked");
    let last = desk.run(&["webhook", "rotate", id, "--overlap", "0", "-y", "-q"]).await.word();
    desk.run(&["webhook", "test", id]).await.good();
    let got = receiver.until("a test", |got| got.last().unwrap().header("x-env").is_empty()).await;
    assert!(got.last().unwrap().is_signed_with(&last) && !got.last().unwrap().is_signed_with(&second));

    // A program gets both lines that it needs; a test key may not manage what hears of real messages.
    let quiet = desk.run(&["webhook", "create", &receiver.url(), "-q"]).await.good();
    let quiet: Vec<&str> = quiet.lines().collect();
    assert!(quiet.len() == 2 && quiet[0].starts_with("whk_") && quiet[1].starts_with("whsec_"), "{quiet:?}");
    let tenant = desk.run(&["tenant", "list", "-q"]).await.word();
    let test = desk.run(&["key", "create", "--tenant", &tenant, "--test", "-q"]).await.word();
    let refused = desk.run(&["webhook", "create", &receiver.url(), "--key", &test]).await;
    assert!(refused.code == 77 && refused.err.contains("a live key"), "{refused:?}");

    assert_eq!(desk.run(&["webhook", "delete", id]).await.code, 64, "nobody was asked");
    assert_eq!(desk.run(&["webhook", "delete", id, "-y"]).await.word(), format!("deleted {id}"));
    let gone = desk.run(&["webhook", "show", id]).await;
    assert!(gone.code == 66 && gone.err.contains("columba webhook list"), "{gone:?}");
    let keyless = run(&["webhook", "list", "--url", &server.url], &[]).await;
    assert!(keyless.code == 77 && keyless.err.contains("COLUMBA_KEY"), "{keyless:?}");
    server.finish().await;
}
