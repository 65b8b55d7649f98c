//! Every command on a real server: what people see, what programs get.

use serde_json::{Value, json};

use super::{Desk, run_with};
use crate::support::api::{ANNA, BERT};
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
    let (head, rows) = (&desk.run(&["plan", "list"]).await.good(), ["basic", "quickstart"]);
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
