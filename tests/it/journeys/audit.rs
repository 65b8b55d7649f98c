//! What operators did, on the real program: written with the change, verified from the file and over HTTP, and a change to
//! the file is found.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::support::server::{Server, assert_nothing_personal, program};

/// Exit code, and what was said on both ways.
async fn verify(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(program("columba"));
    command.args(["audit", "verify"]).args(arguments).envs(environment.iter().copied());
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert_nothing_personal(&said);
    (output.status.code().unwrap(), said)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn what_operators_did_is_verified_while_the_server_runs_and_a_changed_row_is_found() {
    let server = Server::start().await;
    let root = server.operator();
    root.plan("basic", json!({})).await;
    let (tenant, acme) = root.tenant("Acme", "basic").await;
    let keys = format!("/v1/admin/tenants/{tenant}/keys");
    let made = root.post("/v1/admin/operators", json!({"name": "eve", "role": "owner"})).await.expect(201);
    let eve = server.api(made["token"].as_str().unwrap());
    let viewer = root.post("/v1/admin/operators", json!({"name": "bob"})).await.expect(201);
    let bob = server.api(viewer["token"].as_str().unwrap());
    bob.get(&keys).await.expect(200);
    bob.act(&format!("/v1/admin/tenants/{tenant}/suspend")).await.refused(403, "forbidden");

    acme.get("/v1/usage").await.expect(200);
    let key = root.get(&keys).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let rotated = eve.post(&format!("/v1/admin/keys/{key}/rotate"), json!({})).await.expect(201);
    let next = server.api(rotated["key"].as_str().unwrap());
    for api in [&acme, &next] {
        api.get("/v1/usage").await.expect(200);
    }
    let elsewhere = json!({"name": "elsewhere", "allowed_addresses": ["192.0.2.1"]});
    let elsewhere = eve.post(&keys, elsewhere).await.expect(201);
    server.api(elsewhere["key"].as_str().unwrap()).get("/v1/usage").await.refused(403, "forbidden");

    let by_eve = root.get("/v1/admin/audit?actor=eve").await.expect(200);
    let told: Vec<&str> =
        by_eve["data"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["key.create", "key.rotate"]);
    assert_eq!(by_eve["data"][0]["address"], "127.0.0.1");
    let refused = root.get("/v1/admin/audit?action=call.refused").await.expect(200);
    assert_eq!(refused["data"][0]["actor"]["name"], "bob");

    let dir = server.dir();
    let data = dir.path().join("data");
    let head = root.get("/v1/admin/audit/head").await.expect(200);
    let kept = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
    let token = fs::read_to_string(data.join("operator.token")).unwrap();
    for (arguments, environment) in [
        (vec!["--offline", "--data", text(&data)], vec![]),
        (vec!["--offline", "--data", text(&data), "--head", &kept], vec![]),
        (vec!["--url", &server.url, "--data", text(&data), "--head", &kept], vec![]),
        (vec!["--url", &server.url], vec![("COLUMBA_TOKEN", token.trim())]),
    ] {
        let (code, said) = verify(&arguments, &environment).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&kept), "it says the head: {said}");
    }
    let (code, said) = verify(&["--url", &server.url, "--json"], &[("COLUMBA_TOKEN", token.trim())]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&said).unwrap()["head"].clone()), (0, head));
    let (code, said) = verify(&["--url", &server.url], &[("COLUMBA_TOKEN", "nobody")]).await;
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("COLUMBA_TOKEN"), "{said}");
    server.finish().await;

    // Started again, it goes on where it was, and knows when keys were used.
    let server = Server::start_in(dir, &[]).await;
    let listed = server.operator().get(&keys).await.expect(200);
    let used = |id: &Value| {
        let key = listed["data"].as_array().unwrap().iter().find(|key| key["id"] == *id).unwrap();
        !key["last_used_at"].is_null()
    };
    assert!(used(&json!(key)) && used(&rotated["id"]) && !used(&elsewhere["id"]), "{listed}");
    bob.at_url(&server.url).get("/v1/admin/plans").await.expect(200);
    let (code, said) = verify(&["--offline", "--data", text(&data), "--head", &kept], &[]).await;
    assert_eq!(code, 0, "{said}");

    let db = Database::connect(format!("sqlite://{}", data.join("columba.db").display())).await.unwrap();
    let seq = by_eve["data"][1]["seq"].as_u64().unwrap();
    let forged =
        format!("DROP TRIGGER audit_is_not_changed; UPDATE audit SET actor_name = 'root' WHERE seq = {seq}");
    db.execute_unprepared(&forged).await.unwrap();
    db.close().await.unwrap();
    for arguments in
        [vec!["--offline", "--data", text(&data)], vec!["--url", &server.url, "--data", text(&data)]]
    {
        let (code, said) = verify(&arguments, &[]).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("entry {seq}")), "it names the first that does not fit: {said}");
    }
    let (code, said) = verify(&["--offline", "--data", "/nowhere/at/all"], &[]).await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("--data"), "{said}");
    server.finish().await;
}
