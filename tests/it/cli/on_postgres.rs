//! `migrate`, `doctor` and `audit verify` where the rows are in PostgreSQL.

use serde_json::{Value, json};

use super::run;
use crate::support::postgres::{self, Session};
use crate::support::server::Home;

/// What doctor says of the database: level, detail and advice.
fn database(report: &str) -> (String, String, Value) {
    said_of("database", report)
}

fn said_of(what: &str, report: &str) -> (String, String, Value) {
    let report: Value = serde_json::from_str(report).unwrap();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == what).unwrap();
    let word = |name: &str| check[name].as_str().unwrap().to_owned();
    (word("level"), word("detail"), check["advice"].clone())
}

#[tokio::test]
async fn a_database_of_postgresql_is_migrated_looked_at_and_its_audit_verified() {
    // The server trusts whoever comes; the password is there to be kept quiet about.
    let url = postgres::empty().await.replace("//columba@", "//columba:hunter2@");
    let home = Home::at(url.clone());
    let folder = home.data();
    let data = folder.to_str().unwrap();
    let environment = [("COLUMBA__DATABASE__URL", url.as_str())];
    let columba = async |arguments: &[&str]| {
        let ran = run(&[arguments, &["--data", data]].concat(), &environment).await;
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
        ran
    };

    let status = columba(&["migrate", "--status"]).await;
    assert!(status.out.contains("pending") && !status.out.contains("applied"), "{status:?}");
    let looked = columba(&["doctor", "--json", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(database(&looked.out).0, "warn", "it lacks the schema: {looked:?}");
    let first = columba(&["migrate"]).await.word();
    assert!(first.starts_with("took ") && first.contains(" step"), "{first}");
    assert_eq!(columba(&["migrate"]).await.word(), "nothing to do: every step was taken before");
    let status = columba(&["migrate", "--status"]).await.good();
    assert!(status.contains("applied") && !status.contains("pending"), "{status}");
    let (level, detail, _) = database(&columba(&["doctor", "--json", "--listen", "127.0.0.1:0"]).await.out);
    assert!(level == "ok" && detail.starts_with("postgres://127.0.0.1:"), "{level} {detail}");
    let (level, detail, _) =
        said_of("postgresql", &columba(&["doctor", "--json", "--listen", "127.0.0.1:0"]).await.out);
    // The tests' server is, on purpose, what a production one must not be.
    assert!(level == "fail" && detail.contains("with fsync, full_page_writes off"), "{level} {detail}");

    let server = home.start(&[]).await;
    let operator = server.operator();
    operator.plan("basic", json!({})).await;
    operator.tenant("Acme", "basic").await;
    let beside = columba(&["audit", "verify", "--offline"]).await.good();
    assert!(beside.contains("entries, each fits"), "{beside}");
    server.finish().await;
    let superuser = Session::on(&url.replace("//columba:hunter2@", "//columba@")).await;
    superuser.say("ALTER TABLE audit DISABLE TRIGGER ALL").await;
    superuser.say("UPDATE audit SET actor_name = 'somebody else' WHERE seq = 2").await;
    let walked = columba(&["audit", "verify", "--offline"]).await;
    assert_eq!(walked.code, 1, "{walked:?}");
    assert!(walked.err.contains("entry 2"), "{walked:?}");
}

#[tokio::test]
async fn a_postgresql_that_is_not_there_is_named_without_its_password() {
    let url = "postgres://columba:hunter2@127.0.0.1:1/columba";
    let (home, environment) = (Home::in_files(), [("COLUMBA__DATABASE__URL", url)]);
    let folder = home.data();
    let data = folder.to_str().unwrap();
    for (arguments, code) in [
        (&["migrate"][..], 69),
        (&["migrate", "--status"], 69),
        (&["serve", "--listen", "127.0.0.1:0"], 69),
        (&["doctor", "--json", "--listen", "127.0.0.1:0"], 1),
    ] {
        let ran = run(&[arguments, &["--data", data]].concat(), &environment).await;
        let said = ran.out.clone() + &ran.err;
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(said.contains("postgres://127.0.0.1:1/columba cannot be reached"), "{ran:?}");
        assert!(!said.contains("hunter2"), "{ran:?}");
    }
}
