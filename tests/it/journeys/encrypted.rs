//! PostgreSQL and Redis over TLS, with an authority that is trusted and with one that is not.

use serde_json::json;

use crate::support::api::ANNA;
use crate::support::postgres;
use crate::support::redis::{RedisServer, free_port};
use crate::support::server::{Home, Server};
use crate::support::tls::Certificate;

#[tokio::test]
async fn a_message_goes_through_where_both_are_spoken_to_over_tls_and_a_stranger_is_not_trusted() {
    let (certificate, stranger) = (Certificate::make(), Certificate::make());
    let postgres = postgres::Server::start_encrypted(&certificate);
    let database = postgres.empty_database("columba").await.replace("sslmode=disable", "sslmode=verify-full");
    let port = free_port();
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let files = [certificate.certificate(), certificate.key(), certificate.authority()].map(path);
    let redis = RedisServer::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &files[0],
        "--tls-key-file",
        &files[1],
        "--tls-ca-cert-file",
        &files[2],
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");
    let trusting = |authority: &Certificate| authority.authority().to_str().unwrap().to_owned();
    let home = Home::at(database);

    let authority = trusting(&certificate);
    let server = home.start(&[("SSL_CERT_FILE", &authority), ("COLUMBA__REDIS__URL", &url)]).await;
    let ready = server.api("").get("/readyz?verbose").await.expect(200);
    assert_eq!(ready["checks"]["redis"], "ok", "{}", server.logged());
    let operator = server.operator();
    operator.plan("sum", json!({"messages_per_minute_tenant": 5})).await;
    let (_, acme) = operator.tenant("Acme", "sum").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    let message = acme.send(&session, ANNA).await;
    feed.until(&message, "read").await;
    let kept: Vec<String> = redis.ask("KEYS columba:*:window").await;
    assert_eq!(kept.len(), 1, "its sum is there: {kept:?}");
    let encrypted = postgres::Session::on(&home.database().unwrap().replace("verify-full", "disable")).await;
    let plain = "SELECT count(*) FROM pg_stat_ssl AS s JOIN pg_stat_activity AS a USING (pid)
        WHERE a.application_name = 'columba' AND NOT s.ssl";
    assert_eq!(encrypted.count(plain).await, 0);
    server.finish().await;

    // Who trusts somebody else alone tells neither of them anything.
    let authority = trusting(&stranger);
    let files = Home::in_files();
    let server = files.start(&[("SSL_CERT_FILE", &authority), ("COLUMBA__REDIS__URL", &url)]).await;
    let ready = server.api("").get("/readyz?verbose").await.expect(200);
    assert_eq!(ready["checks"]["redis"], "degraded");
    assert!(server.logged().contains("redis is away"), "{}", server.logged());
    server.finish().await;
    let refused = Server::try_start_in(
        files.dir(),
        &[("SSL_CERT_FILE", &authority), ("COLUMBA__DATABASE__URL", home.database().unwrap())],
    )
    .await;
    let Err(status) = refused else { panic!("it started") };
    assert_eq!(status.code(), Some(69));
}
