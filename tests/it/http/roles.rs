//! Every operation of operators, by every role. The table is made of the operations themselves: a new one is in it.

use actix_web::http::Method;
use columba::domain::operator::Role;
use columba::http::openapi::{self, operation::Operation};
use columba::tenancy::permission::Permission;
use serde_json::json;
use strum::IntoEnumIterator as _;

use super::operators::{operator, world};
use super::world::{Reply, World, request};

/// Operations that take an operator, with what they need.
fn of_operators() -> Vec<(Operation, Permission)> {
    let all = openapi::groups().into_iter().flat_map(|group| group.operations);
    all.filter_map(|operation| operation.permission().map(|needs| (operation, needs))).collect()
}

/// Asks with the example of its body, of a thing that is not there: who may is judged before what is there.
async fn ask(world: &World, operation: &Operation, token: &str) -> Reply {
    let path = operation.path.replace("{id}", "absent");
    let method = Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap();
    world.send(request(method, &path, token, operation.asked().cloned())).await
}

#[actix_web::test]
async fn every_operation_is_refused_to_every_role_that_lacks_its_permission_and_to_no_other() {
    let world = world().await;
    let mut tokens = vec![];
    for role in Role::iter() {
        tokens.push((role, operator(&world, json!({"name": role, "role": role})).await.1));
    }
    let all = of_operators();
    assert!(all.len() > 40, "{}", all.len());
    for (operation, needs) in &all {
        for (role, token) in &tokens {
            // Refusals are counted, and limited to so many a minute.
            world.fakes.advance(10_000);
            let reply = ask(&world, operation, token).await;
            let at = format!("{role} at {} {}: {}", operation.method, operation.path, reply.text);
            assert_ne!(reply.status, 401, "{at}");
            let refused = reply.status == 403 && reply.json()["code"] == "forbidden";
            assert_eq!(refused, !role.may(*needs), "{at}");
            if refused {
                let least = needs.least().to_string();
                assert!(reply.json()["detail"].as_str().unwrap().contains(&least), "it names who may: {at}");
            }
        }
    }
}

#[test]
fn what_changes_something_takes_more_than_reading() {
    // What an operator does to nobody but themselves.
    let own = ["/v1/admin/me", "/v1/admin/feed/tickets"];
    for (operation, needs) in of_operators() {
        let is_own = own.iter().any(|path| operation.path.starts_with(path));
        let reads = operation.method == "get" || is_own;
        assert!(reads || needs != Permission::Read, "{} {}", operation.method, operation.path);
    }
}
