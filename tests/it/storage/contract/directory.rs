//! Tenants, plans and keys.

use std::time::Duration;

use columba::domain::id::{KeyId, TenantId};
use columba::domain::message::{MessageReason, MessageStatus};
use columba::domain::plan::{Plan, Quota};
use columba::domain::refusal::Code;
use columba::domain::scope::SystemScope;
use columba::domain::tenant::{ApiKey, Tenant, TenantStatus};
use columba::ports::directory::TenantPatch;
use columba::ports::store::Created;

use super::Fixture;
use super::stage::{ANN, Stage, api_key, code, idempotency, minted, plan, refusal, tenant};
use super::sweep::accepted;

const MINUTE: Duration = Duration::from_secs(60);

contract!(
    a_snapshot_shows_what_was_written,
    a_plan_code_is_given_once_and_its_newest_version_binds,
    a_tenant_needs_a_plan_that_exists,
    a_patch_changes_what_it_names_and_no_more,
    another_plan_binds_this_month_and_keeps_what_was_used,
    a_new_version_of_a_plan_waits_for_the_next_month,
    a_deleted_tenant_takes_its_keys_and_sessions_along,
    a_plan_goes_once_no_tenant_has_it,
    a_revoked_key_is_listed_and_opens_nothing,
    a_live_key_takes_a_seat_until_it_ends_and_rotating_it_takes_no_other,
    what_does_not_exist_is_not_found,
    a_request_replayed_answers_what_it_made,
);

async fn a_snapshot_shows_what_was_written(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (acme, key) = (tenant("basic", stage.now()), api_key(stage.tenant, stage.now()));
    let answer = stage.directory.create_tenant(acme.clone(), None).await;
    assert_eq!(answer, Ok(Created::New(acme.clone())));
    let answer = stage.directory.create_key(key.clone(), None).await.unwrap();
    assert!(!answer.is_replayed() && answer.into_inner() == key);

    let snapshot = stage.directory.snapshot();
    assert_eq!(snapshot.tenants.get(&acme.id), Some(&acme));
    assert!(snapshot.keys.get(&key.hash) == Some(&key));
    assert_eq!(snapshot.plan_of(acme.id), Some(&plan("basic")));
    assert_eq!(snapshot.caps_of(acme.id), Some(plan("basic").caps()));
    stage.wait_secs(3600);
    assert!(stage.directory.snapshot().keys.contains_key(&key.hash), "expiry is for the reader to judge");
    assert_eq!(stage.directory.refresh().await, Ok(()));
    assert_eq!(stage.directory.snapshot().tenants.len(), 2);
}

async fn a_plan_code_is_given_once_and_its_newest_version_binds(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let answer = stage.directory.create_plan(plan("basic"), None, stage.now()).await;
    assert_eq!(code(answer), Code::Conflict);
    for per_minute in [30, 10] {
        let mut newer = plan("basic");
        newer.messages_per_minute = per_minute.try_into().unwrap();
        newer.messages_per_minute_tenant = per_minute.try_into().ok();
        newer.overage_minor = Some(2);
        newer.plugins = vec!["echo".into()];
        assert_eq!(stage.directory.put_plan(newer.clone(), stage.now()).await, Ok(newer.clone()));
        assert_eq!(stage.directory.snapshot().plans.get("basic"), Some(&newer));
        assert_eq!(stage.directory.snapshot().caps_of(stage.tenant), Some(newer.caps()));
    }
}

async fn a_tenant_needs_a_plan_that_exists(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let created = stage.directory.create_tenant(tenant("gold", stage.now()), None).await;
    let patch = TenantPatch { plan: Some("gold".into()), name: Some("X".into()), status: None };
    let patched = stage.directory.patch_tenant(stage.tenant, patch, stage.now()).await;
    for answer in [refusal(created), refusal(patched)] {
        assert_eq!((answer.code, answer.status), (Code::InvalidRequest, 422));
        assert_eq!(answer.faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/plan"]);
    }
    let snapshot = stage.directory.snapshot();
    assert_eq!((snapshot.tenants.len(), &*snapshot.tenants[&stage.tenant].name), (1, "Acme"));
}

async fn a_patch_changes_what_it_names_and_no_more(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.directory.create_plan(plan("gold"), None, stage.now()).await.unwrap();
    let mut expected: Tenant = stage.directory.snapshot().tenants[&stage.tenant].clone();
    let none = TenantPatch::default;
    for patch in [
        none(),
        TenantPatch { name: Some("Zenith".into()), ..none() },
        TenantPatch { plan: Some("gold".into()), ..none() },
        TenantPatch { status: Some(TenantStatus::Suspended), ..none() },
        TenantPatch { status: Some(TenantStatus::Active), name: Some("Acme".into()), plan: None },
    ] {
        expected.name = patch.name.clone().unwrap_or(expected.name);
        expected.plan = patch.plan.clone().unwrap_or(expected.plan);
        expected.status = patch.status.unwrap_or(expected.status);
        let answer = stage.directory.patch_tenant(stage.tenant, patch, stage.now()).await;
        assert_eq!(answer, Ok(expected.clone()));
        assert_eq!(stage.directory.snapshot().tenants[&stage.tenant], expected);
    }
}

async fn another_plan_binds_this_month_and_keeps_what_was_used(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.accept(ANN).await;
    let mut gold = plan("gold");
    gold.messages_per_month = 1_000;
    gold.quota = Quota::Soft;
    stage.directory.create_plan(gold, None, stage.now()).await.unwrap();
    let patch = TenantPatch { plan: Some("gold".into()), ..Default::default() };
    stage.directory.patch_tenant(stage.tenant, patch, stage.now()).await.unwrap();
    let usage = stage.messages.usage(stage.scope(), stage.terms().period).await.unwrap().unwrap();
    assert_eq!((usage.allowance.limit, usage.allowance.quota), (1_000, Quota::Soft));
    assert_eq!((usage.used, usage.held), (0, 1));
}

async fn a_new_version_of_a_plan_waits_for_the_next_month(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.accept(ANN).await;
    let mut newer = plan("basic");
    newer.messages_per_month = 1_000;
    stage.directory.put_plan(newer, stage.now()).await.unwrap();
    let usage = stage.messages.usage(stage.scope(), stage.terms().period).await.unwrap().unwrap();
    assert_eq!(usage.allowance.limit, 10);
}

async fn a_deleted_tenant_takes_its_keys_and_sessions_along(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let stranger = stage.stranger().await;
    let (key, theirs) = (api_key(stage.tenant, stage.now()), api_key(stranger.tenant, stage.now()));
    for key in [&key, &theirs] {
        stage.directory.create_key(key.clone(), None).await.unwrap();
    }
    let waits = stage.accept(ANN).await;

    assert_eq!(stage.directory.delete_tenant(stage.tenant, stage.now()).await, Ok(()));
    let snapshot = stage.directory.snapshot();
    assert!(!snapshot.tenants.contains_key(&stage.tenant) && !snapshot.keys.contains_key(&key.hash));
    assert!(snapshot.tenants.contains_key(&stranger.tenant) && snapshot.keys.contains_key(&theirs.hash));
    assert_eq!(stage.sessions.get(stage.scope(), stage.session).await, Ok(None));
    let message = stage.message(waits.id).await;
    let expected = (MessageStatus::Canceled, Some(MessageReason::SessionGone));
    assert_eq!((message.status, message.reason), expected, "records stay");
    assert_eq!(code(stage.directory.delete_tenant(stage.tenant, stage.now()).await), Code::NotFound);
}

async fn a_plan_goes_once_no_tenant_has_it(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (directory, at) = (&stage.directory, stage.now());
    directory.put_plan(plan("basic"), at).await.unwrap();
    directory.create_plan(plan("gold"), None, at).await.unwrap();
    let no = refusal(directory.delete_plan("basic").await);
    assert_eq!((no.code, no.status), (Code::Conflict, 409));
    assert!(no.detail.contains("have it: 1"), "{}", no.detail);
    let patch = TenantPatch { plan: Some("gold".into()), ..Default::default() };
    directory.patch_tenant(stage.tenant, patch, at).await.unwrap();
    assert_eq!(directory.delete_plan("basic").await, Ok(()));
    assert_eq!(directory.snapshot().plans.keys().collect::<Vec<_>>(), ["gold"], "with all its versions");
    assert_eq!(code(directory.delete_plan("basic").await), Code::NotFound);
    let again = directory.create_tenant(tenant("basic", at), None).await;
    assert_eq!(code(again), Code::InvalidRequest);
    // Whoever is gone has no plan any more once nothing of theirs is kept by it, and its code is free.
    accepted(&stage, 1, stage.draft(ANN)).await;
    directory.delete_tenant(stage.tenant, at).await.unwrap();
    let no = refusal(directory.delete_plan("gold").await);
    assert!(no.code == Code::Conflict && no.detail.contains("still kept: 1"), "{}", no.detail);
    stage.wait_secs(31 * 24 * 3_600);
    assert_eq!(stage.sweep.erase(SystemScope, stage.now(), 10).await, Ok(1));
    assert_eq!(directory.delete_plan("gold").await, Ok(()));
    assert!(directory.create_plan(plan("gold"), None, at).await.is_ok());
}

async fn a_live_key_takes_a_seat_until_it_ends_and_rotating_it_takes_no_other(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let two = Plan { seats_max: Some(2), ..plan("basic") };
    stage.directory.put_plan(two.clone(), stage.now()).await.unwrap();
    let make = async |key: ApiKey| stage.directory.create_key(key, None).await.map(drop_key);
    let key = || ApiKey { expires_at: None, ..api_key(stage.tenant, stage.now()) };
    let theirs = api_key(stage.stranger().await.tenant, stage.now());
    let (first, second) = (key(), ApiKey { expires_at: Some(stage.now() + MINUTE), ..key() });
    for key in [theirs, first.clone(), second] {
        assert_eq!(make(key).await, Ok(()), "another tenant's takes none of this one's");
    }
    let no = refusal(make(key()).await);
    assert_eq!((no.code, no.status), (Code::Conflict, 409));
    assert!(no.detail.contains("2 seats"), "{}", no.detail);
    assert_eq!(make(ApiKey { test: true, ..key() }).await, Ok(()), "a test key takes none");

    // The new one sits where the old one sat, which still opens for a while.
    let new =
        stage.directory.rotate_key(first.id, minted(stage.now()), MINUTE, None).await.unwrap().into_inner();
    assert_eq!(code(make(key()).await), Code::Conflict);
    stage.directory.revoke_key(new.id, stage.now()).await.unwrap();
    assert_eq!(make(key()).await, Ok(()));
    assert_eq!(code(make(key()).await), Code::Conflict);
    stage.wait_secs(60);
    assert_eq!(make(key()).await, Ok(()), "the second one has ended");

    let one = Plan { seats_max: Some(1), ..two };
    stage.directory.put_plan(one, stage.now()).await.unwrap();
    let live = stage.directory.keys(stage.tenant).await.unwrap();
    let live = live.iter().filter(|key| !key.test && key.is_live(stage.now())).count();
    assert_eq!((live, code(make(key()).await)), (2, Code::Conflict), "those that are there stay");
}

async fn a_revoked_key_is_listed_and_opens_nothing(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let keys = [api_key(stage.tenant, stage.now()), api_key(stage.tenant, stage.now())];
    let theirs = api_key(stage.stranger().await.tenant, stage.now());
    for key in keys.iter().chain([&theirs]) {
        stage.directory.create_key(key.clone(), None).await.unwrap();
    }
    let revoked_at = stage.now();
    for _ in 0..2 {
        assert_eq!(stage.directory.revoke_key(keys[0].id, stage.now()).await, Ok(()));
        assert!(!stage.directory.snapshot().keys.contains_key(&keys[0].hash));
        stage.wait_secs(1);
    }
    assert!(stage.directory.snapshot().keys.contains_key(&keys[1].hash));
    let listed = stage.directory.keys(stage.tenant).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|key| (key.id, key.revoked_at)).collect();
    assert_eq!(listed, [(keys[1].id, None), (keys[0].id, Some(revoked_at))], "newest first");
}

async fn what_does_not_exist_is_not_found(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (at, nobody) = (stage.now(), TenantId::mint(stage.now()));
    let patched = stage.directory.patch_tenant(nobody, TenantPatch::default(), at).await;
    assert_eq!(code(patched), Code::NotFound);
    assert_eq!(code(stage.directory.delete_tenant(nobody, at).await), Code::NotFound);
    assert_eq!(code(stage.directory.put_plan(plan("gold"), at).await), Code::NotFound);
    let made = stage.directory.create_key(api_key(nobody, at), None).await;
    assert_eq!(code(made.map(drop_key)), Code::NotFound);
    assert_eq!(code(stage.directory.revoke_key(KeyId::mint(at), at).await), Code::NotFound);
    assert!(stage.directory.keys(nobody).await.unwrap().is_empty());
}

/// A key shows itself to nobody, so it cannot be printed by a failing assertion.
fn drop_key<T>(_: T) {}

async fn a_request_replayed_answers_what_it_made(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (at, directory) = (stage.now(), &stage.directory);
    let asked = idempotency;
    let first = tenant("basic", at);
    directory.create_tenant(first.clone(), asked("tenant", 1)).await.unwrap();
    let patch = TenantPatch { name: Some("Zenith".into()), ..Default::default() };
    let now = directory.patch_tenant(first.id, patch, at).await.unwrap();
    let again = directory.create_tenant(tenant("basic", at), asked("tenant", 1)).await;
    assert_eq!(again, Ok(Created::Replayed(now)), "as it is now");

    directory.create_plan(plan("gold"), asked("plan", 1), at).await.unwrap();
    let again = directory.create_plan(plan("gold"), asked("plan", 1), at).await;
    assert_eq!(again, Ok(Created::Replayed(plan("gold"))), "a replay comes before the conflict");

    let key = api_key(stage.tenant, at);
    directory.create_key(key.clone(), asked("key", 1)).await.unwrap();
    let again = directory.create_key(api_key(stage.tenant, at), asked("key", 1)).await.unwrap();
    assert!(again.is_replayed() && again.into_inner() == key);

    let other = |key| asked(key, 2);
    let mismatch = Code::IdempotencyMismatch;
    assert_eq!(code(directory.create_tenant(tenant("basic", at), other("tenant")).await), mismatch);
    assert_eq!(code(directory.create_plan(plan("iron"), other("plan"), at).await), mismatch);
    let made = directory.create_key(api_key(stage.tenant, at), other("key")).await;
    assert_eq!(code(made.map(drop_key)), mismatch);
    let snapshot = directory.snapshot();
    assert_eq!((snapshot.tenants.len(), snapshot.plans.len(), snapshot.keys.len()), (2, 2, 1));
}
