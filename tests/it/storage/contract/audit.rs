//! What operators did, what a key carries besides, and operators.

use std::sync::Arc;
use std::time::Duration;

use columba::domain::audit::{Act, Action, Actor, Entry, Head, Walk};
use columba::domain::id::{KeyId, OperatorId};
use columba::domain::operator::{OperatorAccount, Role, TokenHash};
use columba::domain::page::Order;
use columba::domain::refusal::Code;
use columba::domain::scope::SystemScope;
use columba::domain::tenant::TenantStatus;
use columba::domain::time::WallTime;
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::directory::{Directory, OPERATORS_MAX, TenantPatch};
use serde_json::Value;

use super::Fixture;
use super::stage::{Stage, api_key, code, idempotency, minted, plan, tenant};

contract!(
    every_write_of_the_directory_has_its_entry_and_what_changes_nothing_has_none,
    what_is_refused_or_replayed_adds_no_entry,
    the_list_is_narrowed_and_read_page_by_page_either_way,
    retention_leaves_the_audit_alone,
    a_rotated_key_opens_until_its_overlap_ends_and_two_live_at_once,
    a_rotation_asked_for_twice_is_one,
    the_last_use_of_a_key_only_grows_and_is_nobodys_act,
    an_operator_is_known_after_the_token_was_revoked,
    operators_are_bounded,
);

pub fn operator(name: &str, at: WallTime) -> OperatorAccount {
    let id = OperatorId::mint(at);
    let mut hash = [9; 32];
    hash[..16].copy_from_slice(id.uuid().as_bytes());
    OperatorAccount {
        id,
        name: name.into(),
        hash: Some(TokenHash(hash)),
        role: Role::Viewer,
        email: None,
        created_at: at,
        expires_at: None,
        revoked_at: None,
    }
}

fn eve(at: WallTime) -> Actor {
    Actor {
        id: Some(OperatorId::mint(at)),
        name: "eve".into(),
        address: Some([192, 0, 2, 1].into()),
        request_id: Some("req_1".into()),
    }
}

const ALL: AuditPage = AuditPage { limit: 200, order: Order::Ascending, beyond: None };

async fn entries(stage: &Stage) -> Vec<Entry> {
    let all = stage.audit.entries(SystemScope, AuditFilter::default(), ALL).await.unwrap();
    assert!(!all.has_more);
    let mut walk = Walk::default();
    all.rows.iter().for_each(|entry| walk.step(entry).unwrap());
    let head = stage.audit.head(SystemScope).await.unwrap();
    assert_eq!(walk.end(head), Ok(head));
    all.rows
}

/// The words of the entries behind the first `known`.
async fn words(stage: &Stage, known: usize) -> Vec<String> {
    entries(stage).await.into_iter().skip(known).map(|entry| entry.action).collect()
}

fn signed(stage: &Stage, by: &Actor) -> Arc<dyn Directory> {
    Arc::clone(&stage.directory).signed(by.clone())
}

fn json(text: &Option<String>) -> Value {
    text.as_ref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

async fn every_write_of_the_directory_has_its_entry_and_what_changes_nothing_has_none(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let by = eve(stage.now());
    let directory = signed(&stage, &by);
    let known = entries(&stage).await;
    let first: Vec<_> = known.iter().map(|entry| (&*entry.action, &*entry.actor.name)).collect();
    assert_eq!(first, [("plan.create", "system"), ("tenant.create", "system")], "nobody signed them");

    stage.wait_secs(5);
    let (at, acme) = (stage.now(), tenant("basic", stage.now()));
    let (key, account) = (api_key(acme.id, at), operator("bob", at));
    let patch =
        |status, name: Option<&str>| TenantPatch { status, name: name.map(str::to_owned), plan: None };
    directory.create_plan(plan("gold"), None, at).await.unwrap();
    directory.put_plan(plan("gold"), at).await.unwrap();
    directory.create_tenant(acme.clone(), None).await.unwrap();
    directory.create_key(key.clone(), None).await.unwrap();
    directory.create_operator(account.clone(), None, None).await.unwrap();
    // Twice each: the second changes nothing.
    for _ in 0..2 {
        directory.patch_tenant(acme.id, patch(None, Some("Zenith")), at).await.unwrap();
    }
    for status in
        [TenantStatus::Suspended, TenantStatus::Suspended, TenantStatus::Active, TenantStatus::Active]
    {
        directory.patch_tenant(acme.id, patch(Some(status), None), at).await.unwrap();
    }
    directory.patch_tenant(acme.id, TenantPatch::default(), at).await.unwrap();
    directory.rotate_key(key.id, minted(at), Duration::from_secs(9), None).await.unwrap();
    for _ in 0..2 {
        directory.revoke_key(key.id, at).await.unwrap();
        directory.revoke_operator(account.id, at).await.unwrap();
    }
    directory.delete_tenant(acme.id, at).await.unwrap();
    directory.delete_plan("gold").await.unwrap();
    stage.audit.record(by.clone(), Act::new(Action::CallRefused, "call", "POST /x")).await.unwrap();

    let all = entries(&stage).await;
    let mine = &all[known.len()..];
    let (acme, key, bob) = (acme.id.to_string(), key.id.to_string(), account.id.to_string());
    let told: Vec<_> = mine
        .iter()
        .map(|e| (&*e.action, &*e.subject.kind, &*e.subject.id, e.before.is_some(), e.after.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            ("plan.create", "plan", "gold", false, true),
            ("plan.replace", "plan", "gold", true, true),
            ("tenant.create", "tenant", &*acme, false, true),
            ("key.create", "key", &*key, false, true),
            ("operator.create", "operator", &*bob, false, true),
            ("tenant.update", "tenant", &*acme, true, true),
            ("tenant.suspend", "tenant", &*acme, true, true),
            ("tenant.resume", "tenant", &*acme, true, true),
            ("key.rotate", "key", &*key, true, true),
            ("key.revoke", "key", &*key, true, true),
            ("operator.delete", "operator", &*bob, true, true),
            ("tenant.delete", "tenant", &*acme, true, false),
            ("plan.delete", "plan", "gold", true, false),
            ("call.refused", "call", "POST /x", false, false),
        ]
    );
    for entry in mine {
        assert_eq!((entry.at, &*entry.actor.name), (at, "eve"));
        assert_eq!(entry.actor.id, by.id.map(|id| id.to_string()));
        let from = (entry.address.as_deref(), entry.request_id.as_deref());
        assert_eq!(from, (Some("192.0.2.1"), Some("req_1")));
    }
    let rename = (json(&mine[5].before), json(&mine[5].after));
    assert_eq!((&rename.0["name"], &rename.1["name"]), (&"Acme".into(), &"Zenith".into()));
    assert_eq!(json(&mine[8].after)["old"]["replaced_by"], json(&mine[8].after)["new"]["id"]);
    for entry in &all {
        for text in [&entry.before, &entry.after].into_iter().flatten() {
            assert!(!text.contains("hash"), "how a key is recognised is nobody's business: {text}");
        }
    }
}

async fn what_is_refused_or_replayed_adds_no_entry(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (at, asked) = (stage.now(), || idempotency("k", 1));
    let first = tenant("basic", at);
    stage.directory.create_tenant(first.clone(), asked()).await.unwrap();
    let known = entries(&stage).await.len();
    assert!(stage.directory.create_tenant(first, asked()).await.unwrap().is_replayed());
    assert_eq!(code(stage.directory.create_tenant(tenant("none", at), None).await), Code::InvalidRequest);
    assert_eq!(code(stage.directory.create_plan(plan("basic"), None, at).await), Code::Conflict);
    assert_eq!(code(stage.directory.put_plan(plan("none"), at).await), Code::NotFound);
    assert_eq!(code(stage.directory.revoke_key(KeyId::mint(at), at).await), Code::NotFound);
    assert_eq!(code(stage.directory.revoke_operator(OperatorId::mint(at), at).await), Code::NotFound);
    assert_eq!(words(&stage, known).await, [""; 0]);
}

async fn the_list_is_narrowed_and_read_page_by_page_either_way(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let by = eve(stage.now());
    let start = stage.now();
    for n in 0..7 {
        stage.wait_secs(1);
        let action = if n % 2 == 0 { Action::CallRefused } else { Action::KeyRevoke };
        let who = if n < 5 { by.clone() } else { Actor::root() };
        stage.audit.record(who, Act::new(action, "call", format_args!("s{}", n % 3))).await.unwrap();
    }
    let all = entries(&stage).await;
    assert_eq!(all.len(), 9);
    for order in [Order::Ascending, Order::Descending] {
        let (mut seen, mut beyond) = (vec![], None);
        loop {
            let page = AuditPage { limit: 4, order, beyond };
            let slice = stage.audit.entries(SystemScope, AuditFilter::default(), page).await.unwrap();
            seen.extend(slice.rows);
            beyond = seen.last().map(|entry| entry.seq);
            if !slice.has_more {
                break;
            }
        }
        if order == Order::Descending {
            seen.reverse();
        }
        assert_eq!(seen, all);
    }
    let none = AuditFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let second = |n: u64| Some(start + Duration::from_secs(n));
    for (filter, expected) in [
        (AuditFilter { actor: text("eve"), ..none() }, vec![3, 4, 5, 6, 7]),
        (AuditFilter { actor: by.id.map(|id| id.to_string()), ..none() }, vec![3, 4, 5, 6, 7]),
        (AuditFilter { actor: text("root"), ..none() }, vec![8, 9]),
        (AuditFilter { action: text("key.revoke"), ..none() }, vec![4, 6, 8]),
        (AuditFilter { subject: text("s1"), ..none() }, vec![4, 7]),
        (AuditFilter { from: second(2), to: second(4), ..none() }, vec![4, 5]),
        (AuditFilter { subject: text("s0"), actor: text("root"), ..none() }, vec![9]),
        (AuditFilter { actor: text("nobody"), ..none() }, vec![]),
    ] {
        let slice = stage.audit.entries(SystemScope, filter.clone(), ALL).await.unwrap();
        assert_eq!(slice.rows.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

async fn retention_leaves_the_audit_alone(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let known = entries(&stage).await;
    stage.wait_secs(10 * 365 * 24 * 3600);
    stage.sweep.forget(SystemScope, stage.now(), 10_000).await.unwrap();
    assert_eq!(entries(&stage).await, known);
}

async fn a_rotated_key_opens_until_its_overlap_ends_and_two_live_at_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut key = api_key(stage.tenant, stage.now());
    key.expires_at = None;
    key.allowed_addresses = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    stage.directory.create_key(key.clone(), None).await.unwrap();
    let rotate =
        |id, secs| stage.directory.rotate_key(id, minted(stage.now()), Duration::from_secs(secs), None);
    let refused = async |id| code(rotate(id, 60).await.map(|_| ()));
    assert_eq!(refused(KeyId::mint(stage.now())).await, Code::NotFound);

    let at = stage.now();
    let new = rotate(key.id, 60).await.unwrap().into_inner();
    assert!(new.name == key.name && new.scopes == key.scopes && new.test == key.test);
    assert_eq!((&new.allowed_addresses, new.expires_at), (&key.allowed_addresses, None));
    let snapshot = stage.directory.snapshot();
    let old = &snapshot.keys[&key.hash];
    assert_eq!((old.expires_at, old.replaced_by), (Some(at + Duration::from_secs(60)), Some(new.id)));
    assert_eq!(old.allowed_addresses, key.allowed_addresses);
    assert!(snapshot.keys[&new.hash] == new && old.is_live(at) && new.is_live(at));

    assert_eq!(refused(key.id).await, Code::Conflict, "it has been replaced");
    assert_eq!(refused(new.id).await, Code::Conflict, "three would live at once");
    stage.wait_secs(60);
    assert!(!stage.directory.snapshot().keys[&key.hash].is_live(stage.now()));
    assert_eq!(refused(key.id).await, Code::Conflict, "it has ended");
    let third = rotate(new.id, 0).await.unwrap().into_inner();
    assert!(!stage.directory.snapshot().keys[&new.hash].is_live(stage.now()), "no overlap: at once");
    stage.directory.revoke_key(third.id, stage.now()).await.unwrap();
    assert_eq!(refused(third.id).await, Code::Conflict, "it is revoked");

    // A key that was to end soon ends no later, and its successor lives as long as it was to live.
    let short = api_key(stage.tenant, stage.now());
    stage.directory.create_key(short.clone(), None).await.unwrap();
    stage.wait_secs(20);
    let next = rotate(short.id, 3600).await.unwrap().into_inner();
    assert_eq!(next.expires_at, Some(stage.now() + Duration::from_secs(60)));
    assert_eq!(stage.directory.snapshot().keys[&short.hash].expires_at, short.expires_at);
}

async fn a_rotation_asked_for_twice_is_one(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let key = api_key(stage.tenant, stage.now());
    stage.directory.create_key(key.clone(), None).await.unwrap();
    let rotate = |print| {
        let asked = idempotency("k", print);
        stage.directory.rotate_key(key.id, minted(stage.now()), Duration::from_secs(60), asked)
    };
    let first = rotate(1).await.unwrap().into_inner();
    let again = rotate(1).await.unwrap();
    assert!(again.is_replayed() && again.into_inner() == first);
    assert_eq!(code(rotate(2).await.map(|_| ())), Code::IdempotencyMismatch);
    assert_eq!(stage.directory.keys(stage.tenant).await.unwrap().len(), 2);
}

async fn the_last_use_of_a_key_only_grows_and_is_nobodys_act(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let keys = [api_key(stage.tenant, stage.now()), api_key(stage.tenant, stage.now())];
    for key in &keys {
        stage.directory.create_key(key.clone(), None).await.unwrap();
    }
    let known = entries(&stage).await.len();
    let at = |n: i64| WallTime(1_000 + n);
    let nobody = KeyId::mint(stage.now());
    for marks in
        [vec![(keys[0].id, at(5)), (nobody, at(9))], vec![(keys[0].id, at(3)), (keys[1].id, at(4))], vec![]]
    {
        stage.directory.note_use(SystemScope, marks).await.unwrap();
    }
    let mut listed = stage.directory.keys(stage.tenant).await.unwrap();
    listed.reverse();
    let used: Vec<_> = listed.iter().map(|key| key.last_used_at).collect();
    assert_eq!(used, [Some(at(5)), Some(at(4))]);
    assert_eq!(words(&stage, known).await, [""; 0]);
}

async fn an_operator_is_known_after_the_token_was_revoked(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut bob = operator("bob", stage.now());
    bob.expires_at = Some(stage.in_secs(60));
    let asked = || idempotency("k", 1);
    assert!(!stage.directory.create_operator(bob.clone(), None, asked()).await.unwrap().is_replayed());
    let again = stage.directory.create_operator(operator("bob", stage.now()), None, asked()).await.unwrap();
    assert!(again.is_replayed() && again.into_inner() == bob);
    assert_eq!(
        code(stage.directory.create_operator(bob.clone(), None, idempotency("k", 2)).await.map(|_| ())),
        Code::IdempotencyMismatch
    );
    assert!(stage.directory.snapshot().operators[&bob.id] == bob);
    let at = stage.now();
    for _ in 0..2 {
        assert_eq!(stage.directory.revoke_operator(bob.id, stage.now()).await, Ok(()));
        stage.wait_secs(1);
    }
    let snapshot = stage.directory.snapshot();
    assert_eq!(snapshot.operators[&bob.id].revoked_at, Some(at), "the first time counts");
}

async fn operators_are_bounded(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut all = vec![];
    for n in 0..OPERATORS_MAX {
        let mut account = operator(&format!("o{n}"), stage.now());
        account.expires_at = (n == 0).then(|| stage.in_secs(60));
        all.push(account.id);
        stage.directory.create_operator(account, None, None).await.unwrap();
    }
    let one_more = || async {
        stage.directory.create_operator(operator("more", stage.now()), None, None).await.map(|_| ())
    };
    assert_eq!(code(one_more().await), Code::Conflict);
    stage.directory.revoke_operator(all[1], stage.now()).await.unwrap();
    assert_eq!(one_more().await, Ok(()), "a revoked one leaves a place");
    stage.wait_secs(60);
    assert_eq!(one_more().await, Ok(()), "and so does one that has expired");
    assert_eq!(code(one_more().await), Code::Conflict);
    assert_ne!(stage.audit.head(SystemScope).await.unwrap(), Head::default());
}
