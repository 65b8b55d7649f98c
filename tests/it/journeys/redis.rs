//! A server with Redis, and what its operator sees when Redis dies.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::api::ANNA;
use crate::support::redis::RedisServer;
use crate::support::server::Server;

/// Readiness has no event: it is asked for.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until `/readyz` says of Redis what is wanted; it is ready all the time.
async fn says(server: &Server, wanted: &str) {
    let api = server.api("");
    let said = timeout(Duration::from_secs(10), async {
        while api.get("/readyz?verbose").await.expect(200)["checks"]["redis"] != wanted {
            sleep(LOOK).await;
        }
    });
    said.await.unwrap_or_else(|_| panic!("not {wanted} within 10 s:\n{}", server.logged()));
}

async fn metrics(server: &Server) -> String {
    server.operator().get("/metrics").await.text
}

fn lines(server: &Server, words: &str) -> usize {
    server.logged().lines().filter(|line| line.contains(words)).count()
}

#[tokio::test]
async fn a_server_whose_redis_dies_goes_on_says_so_once_and_comes_back_to_it() {
    let mut redis = RedisServer::start().await;
    let dir = Arc::new(TempDir::new().unwrap());
    let server = Server::start_in(dir, &[("COLUMBA__REDIS__URL", &redis.url())]).await;
    assert_eq!(server.api("").get("/readyz?verbose").await.expect(200)["checks"]["redis"], "ok");

    let operator = server.operator();
    operator.plan("sum", json!({"messages_per_minute_tenant": 5})).await;
    let (_, acme) = operator.tenant("Acme", "sum").await;
    let session = acme.connected("sales").await;
    let mut feed = acme.feed_of(&session).await;
    for number in 0..3 {
        match number {
            1 => redis.kill().await,
            2 => says(&server, "degraded").await,
            _ => {}
        }
        let message = acme.send(&session, ANNA).await;
        feed.until(&message, "read").await;
    }
    assert_eq!(lines(&server, "redis is away"), 1, "{}", server.logged());
    assert!(metrics(&server).await.contains("\ncolumba_redis_up 0\n"));
    redis.revive().await;
    says(&server, "ok").await;
    assert!(metrics(&server).await.contains("\ncolumba_redis_up 1\n"));
    let mut last = vec![];
    for _ in 0..3 {
        last.push(acme.send(&session, ANNA).await);
    }
    feed.until(&last[1], "read").await;
    let sum = acme.get("/v1/limits").await.expect(200)["tenant"].clone();
    assert_eq!(sum, json!({"cap": 5, "used": 5, "remaining": 0}));
    assert_eq!(acme.message(&last[2]).await["status"], "queued");
    assert_eq!(acme.frames(&session).await.len(), 5, "the cap held all the time");
    let log = server.logged();
    assert_eq!((lines(&server, "redis is away"), lines(&server, "redis answers again")), (1, 1), "{log}");
    let kept: Vec<String> = redis.ask("KEYS columba:*:window").await;
    assert_eq!(kept.len(), 1, "the sum is kept there again: {kept:?}");
    server.finish().await;
}

#[tokio::test]
async fn a_redis_that_is_away_at_the_start_delays_nobody_and_one_that_drops_keys_ends_it_with_69() {
    let mut redis = RedisServer::start().await;
    redis.kill().await;
    let dir = Arc::new(TempDir::new().unwrap());
    let url = redis.url();
    let environment = [("COLUMBA__REDIS__URL", url.as_str())];
    let server = Server::start_in(Arc::clone(&dir), &environment).await;
    says(&server, "degraded").await;
    redis.revive().await;
    says(&server, "ok").await;
    server.finish().await;

    redis.ask::<String>("CONFIG SET maxmemory-policy allkeys-lru").await;
    let refused = Server::try_start_in(Arc::clone(&dir), &environment).await;
    let Err(status) = refused else { panic!("it started") };
    assert_eq!(status.code(), Some(69));
    let log = std::fs::read_to_string(dir.path().join("server.log")).unwrap();
    assert!(log.contains("redis.url") && log.contains("noeviction"), "{log}");
}
