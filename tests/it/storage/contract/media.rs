//! Records of files: kept within a plan's bounds, held by messages that use them, taken away, forgotten once their bytes are gone.

use std::time::Duration;

use columba::domain::id::{MediaId, SessionId, TenantId};
use columba::domain::media::{Found, Handle, MediaFile, MediaState};
use columba::domain::message::Direction;
use columba::domain::plan::Plan;
use columba::domain::refusal::Code;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::ports::clock::Clock as _;
use columba::ports::directory::TenantPatch;
use columba::ports::store::Created;

use super::Fixture;
use super::stage::{Stage, code, idempotency, plan};

contract!(
    a_file_is_its_tenants_and_nobody_elses,
    all_files_of_a_tenant_together_have_a_bound_and_what_is_not_removed_yet_counts,
    the_same_upload_twice_is_one_file,
    one_that_came_in_is_noted_once_and_stored_once_it_was_fetched,
    a_plan_keeps_a_file_from_the_last_message_that_uses_it,
    what_was_taken_away_is_absent_and_forgotten_only_when_it_is_said,
    a_session_takes_what_came_in_on_it_along_and_a_tenant_everything,
    what_has_lost_its_bytes_is_with_the_network_again_or_gone,
);

const DAY: u64 = 24 * 3600;
const ROOM: u64 = 1_000;

fn file(stage: &Stage, tenant: TenantId, size: u64) -> MediaFile {
    let at = stage.now();
    MediaFile {
        id: MediaId::mint(at),
        tenant,
        session: None,
        direction: Direction::Out,
        mime: "image/jpeg".into(),
        size,
        sha256: Some([7; 32]),
        file_name: Some("menü.jpg".into()),
        state: MediaState::Stored,
        handle: None,
        created_at: at,
        kept_from: at,
    }
}

fn came_in(stage: &Stage, session: SessionId) -> MediaFile {
    MediaFile {
        session: Some(session),
        direction: Direction::In,
        sha256: None,
        state: MediaState::Remote,
        handle: Some(Handle(b"\0key".to_vec())),
        ..file(stage, stage.tenant, 48_213)
    }
}

async fn kept(stage: &Stage, size: u64) -> MediaFile {
    let file = file(stage, stage.tenant, size);
    let kept = stage.media.keep(stage.scope(), file.clone(), ROOM, None).await.unwrap();
    assert_eq!(kept, Created::New(file.clone()));
    file
}

async fn get(stage: &Stage, id: MediaId) -> Option<MediaFile> {
    stage.media.get(stage.scope(), id).await.unwrap()
}

async fn a_file_is_its_tenants_and_nobody_elses(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let file = kept(&stage, 10).await;
    assert_eq!(get(&stage, file.id).await, Some(file.clone()));
    let other = TenantScope::authenticated(stage.stranger().await.tenant);
    assert_eq!(stage.media.get(other, file.id).await, Ok(None));
    assert_eq!(stage.media.hold(other, file.id, stage.in_secs(9)).await, Ok(None));
    assert_eq!(stage.media.delete(other, file.id, stage.now()).await, Ok(false));
    let found = Found { mime: "a/b".into(), size: 1, sha256: [1; 32] };
    assert_eq!(code(stage.media.fetched(other, file.id, found, ROOM).await), Code::NotFound);
    assert_eq!(stage.media.usage(other).await, Ok(0));
    assert_eq!(get(&stage, file.id).await, Some(file));
}

async fn all_files_of_a_tenant_together_have_a_bound_and_what_is_not_removed_yet_counts(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let first = kept(&stage, ROOM - 10).await;
    let too_much = file(&stage, stage.tenant, 11);
    let refused = stage.media.keep(stage.scope(), too_much.clone(), ROOM, None).await;
    assert_eq!(code(refused), Code::Conflict);
    assert_eq!(get(&stage, too_much.id).await, None);
    kept(&stage, 10).await;
    assert_eq!(stage.media.usage(stage.scope()).await, Ok(ROOM));

    assert_eq!(stage.media.delete(stage.scope(), first.id, stage.now()).await, Ok(true));
    assert_eq!(code(stage.media.keep(stage.scope(), too_much.clone(), ROOM, None).await), Code::Conflict);
    stage.media.forget(SystemScope, vec![first.id]).await.unwrap();
    assert_eq!(
        stage.media.keep(stage.scope(), too_much.clone(), ROOM, None).await,
        Ok(Created::New(too_much))
    );
}

async fn the_same_upload_twice_is_one_file(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let asked = idempotency("once", 1);
    let first = file(&stage, stage.tenant, 10);
    let made = stage.media.keep(stage.scope(), first.clone(), ROOM, asked.clone()).await;
    assert_eq!(made, Ok(Created::New(first.clone())));
    let second = file(&stage, stage.tenant, 10);
    let made = stage.media.keep(stage.scope(), second.clone(), ROOM, asked.clone()).await;
    assert_eq!(made, Ok(Created::Replayed(first.clone())));
    assert_eq!(get(&stage, second.id).await, None);
    let other = idempotency("once", 2);
    let refused = stage.media.keep(stage.scope(), second.clone(), ROOM, other).await;
    assert_eq!(code(refused), Code::IdempotencyMismatch);
    stage.media.delete(stage.scope(), first.id, stage.now()).await.unwrap();
    assert_eq!(code(stage.media.keep(stage.scope(), second, ROOM, asked).await), Code::NotFound);
}

async fn one_that_came_in_is_noted_once_and_stored_once_it_was_fetched(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let file = came_in(&stage, stage.session);
    for _ in 0..2 {
        stage.media.note(stage.lease, file.clone()).await.unwrap();
    }
    assert_eq!(get(&stage, file.id).await, Some(file.clone()));
    assert_eq!(stage.media.usage(stage.scope()).await, Ok(0), "its bytes are not here");
    let found = Found { mime: "image/png".into(), size: 900, sha256: [9; 32] };
    let refused = stage.media.fetched(stage.scope(), file.id, found.clone(), 899).await;
    assert_eq!(code(refused), Code::Conflict);
    assert_eq!(get(&stage, file.id).await, Some(file.clone()));
    let stored = MediaFile {
        mime: "image/png".into(),
        size: 900,
        sha256: Some([9; 32]),
        state: MediaState::Stored,
        ..file.clone()
    };
    for _ in 0..2 {
        let fetched = stage.media.fetched(stage.scope(), file.id, found.clone(), ROOM).await;
        assert_eq!(fetched, Ok(stored.clone()));
    }
    assert_eq!(stage.media.usage(stage.scope()).await, Ok(900));
}

async fn a_plan_keeps_a_file_from_the_last_message_that_uses_it(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (idle, used) = (kept(&stage, 1).await, kept(&stage, 1).await);
    let from = stage.in_secs(10 * DAY);
    let held = stage.media.hold(stage.scope(), used.id, from).await.unwrap();
    assert_eq!(held, Some(MediaFile { kept_from: from, ..used.clone() }));
    let held = stage.media.hold(stage.scope(), used.id, stage.now()).await.unwrap();
    assert_eq!(held.unwrap().kept_from, from, "no message shortens it");
    let expire = async |limit: u32| stage.media.expire(SystemScope, stage.now(), limit).await;

    stage.wait_secs(30 * DAY);
    assert_eq!(expire(10).await, Ok(0), "to the millisecond");
    stage.wait_secs(1);
    assert_eq!((expire(10).await, expire(10).await), (Ok(1), Ok(0)));
    assert_eq!(get(&stage, idle.id).await, None);
    assert!(get(&stage, used.id).await.is_some());

    // Another plan binds at once.
    let shorter = Plan { retention_days: 5, code: "shorter".into(), ..plan("basic") };
    stage.directory.create_plan(shorter, None, stage.now()).await.unwrap();
    let patch = TenantPatch { plan: Some("shorter".into()), ..Default::default() };
    stage.directory.patch_tenant(stage.tenant, patch, stage.now()).await.unwrap();
    assert_eq!(expire(10).await, Ok(1));
    assert_eq!(get(&stage, used.id).await, None);
}

async fn what_was_taken_away_is_absent_and_forgotten_only_when_it_is_said(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (gone, stays) = (kept(&stage, 1).await, kept(&stage, 1).await);
    assert_eq!(stage.media.delete(stage.scope(), gone.id, stage.now()).await, Ok(true));
    assert_eq!(stage.media.delete(stage.scope(), gone.id, stage.now()).await, Ok(false));
    assert_eq!(get(&stage, gone.id).await, None);
    assert_eq!(stage.media.hold(stage.scope(), gone.id, stage.now()).await, Ok(None));
    let both = vec![gone.id, stays.id];
    let gone_ones = async || stage.media.gone(SystemScope, 10).await.unwrap();
    let known = async || stage.media.known(SystemScope, both.clone()).await.unwrap().len();
    assert_eq!((gone_ones().await, known().await), (vec![(stage.tenant, gone.id)], 2));
    let stored = stage.media.stored(SystemScope, None, 10).await.unwrap();
    assert_eq!(stored, [(stage.tenant, stays.id)]);
    assert_eq!(stage.media.stored(SystemScope, Some(stays.id), 10).await, Ok(vec![]));

    stage.media.forget(SystemScope, both.clone()).await.unwrap();
    assert_eq!((gone_ones().await, known().await), (vec![], 1));
    assert!(get(&stage, stays.id).await.is_some());
}

async fn a_session_takes_what_came_in_on_it_along_and_a_tenant_everything(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let sibling = stage.sibling().await;
    let (on_it, beside_it) = (came_in(&stage, stage.session), came_in(&stage, sibling.session));
    for file in [&on_it, &beside_it] {
        stage.media.note(stage.lease, file.clone()).await.unwrap();
    }
    let uploaded = kept(&stage, 1).await;
    let there = async || {
        let mut there = vec![];
        for id in [on_it.id, beside_it.id, uploaded.id] {
            there.push(get(&stage, id).await.is_some());
        }
        there
    };
    stage.sessions.delete(stage.scope(), stage.session, stage.now()).await.unwrap();
    assert_eq!(there().await, [false, true, true]);
    stage.directory.delete_tenant(stage.tenant, stage.now()).await.unwrap();
    assert_eq!(there().await, [false, false, false]);
    assert_eq!(stage.media.gone(SystemScope, 10).await.unwrap().len(), 3);
}

async fn what_has_lost_its_bytes_is_with_the_network_again_or_gone(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let uploaded = kept(&stage, 1).await;
    let fetched = came_in(&stage, stage.session);
    stage.media.note(stage.lease, fetched.clone()).await.unwrap();
    let found = Found { mime: "image/jpeg".into(), size: 2, sha256: [2; 32] };
    stage.media.fetched(stage.scope(), fetched.id, found, ROOM).await.unwrap();
    stage.fixture.clock.advance(Duration::from_secs(1));
    stage.media.lost(SystemScope, vec![uploaded.id, fetched.id], stage.fixture.clock.wall()).await.unwrap();
    assert_eq!(get(&stage, uploaded.id).await, None);
    let again = get(&stage, fetched.id).await.unwrap();
    assert_eq!((again.state, again.sha256, again.handle), (MediaState::Remote, None, fetched.handle));
    assert_eq!(stage.media.gone(SystemScope, 10).await, Ok(vec![(stage.tenant, uploaded.id)]));
}
