//! Operators who are people, and what of the audit is a tenant's business.

use std::sync::Arc;
use std::time::Duration;

use columba::domain::audit::{Act, Action, Actor};
use columba::domain::id::{OperatorId, SignInId};
use columba::domain::operator::{OperatorAccount, Role, TokenHash};
use columba::domain::page::Order;
use columba::domain::person::{Invitation, PasswordHash, Person, SecondFactor, SignIn};
use columba::domain::refusal::{Code, Refusal};
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::tenant::TenantStatus;
use columba::domain::time::WallTime;
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::directory::{OperatorPatch, TenantPatch};
use columba::ports::people::{Known, Outcome, Whom};
use columba::ports::store::WriteError;

use super::Fixture;
use super::stage::{Stage, api_key, code, tenant};

contract!(
    a_person_is_found_by_id_address_and_link_as_they_were_written,
    a_rule_decides_within_the_transaction_and_what_it_refuses_changes_nothing,
    sign_ins_are_found_by_their_cookie_and_are_seen_forwards_only,
    the_first_person_is_the_first_and_no_two_share_an_address,
    the_last_owner_who_can_sign_in_stays_one,
    whoever_is_removed_is_no_person_and_signed_in_nowhere,
    a_tenant_reads_of_the_audit_what_is_its_business_page_by_page,
);

fn hash(seed: &str) -> TokenHash {
    use sha2::Digest as _;
    TokenHash(sha2::Sha256::digest(seed.as_bytes()).into())
}

fn account(name: &str, role: Role, at: WallTime) -> OperatorAccount {
    OperatorAccount {
        id: OperatorId::mint(at),
        name: name.into(),
        hash: None,
        role,
        email: Some(format!("{name}@example.com").parse().unwrap()),
        created_at: at,
        expires_at: None,
        revoked_at: None,
    }
}

/// With everything that a person can have.
fn person(id: OperatorId, at: WallTime) -> Person {
    Person {
        id,
        password: Some(PasswordHash("$argon2id$…".into())),
        second_factor: Some(SecondFactor {
            sealed: vec![0, 255],
            confirmed_at: Some(at),
            last_step: 59_833_333,
        }),
        recovery: vec![hash("one"), hash("two")],
        invitation: Some(Invitation { hash: hash(&id.to_string()), expires_at: at + Duration::from_secs(9) }),
    }
}

fn sign_in(operator: OperatorId, at: WallTime) -> SignIn {
    let id = SignInId::mint(at);
    SignIn {
        id,
        operator,
        hash: hash(&id.to_string()),
        created_at: at,
        seen_at: at,
        stepped_up_at: at,
        address: Some("2001:db8::1".parse().unwrap()),
        agent: Some("Browser/1 ü".into()),
    }
}

/// An operator who is a person.
async fn come(stage: &Stage, name: &str, role: Role) -> OperatorAccount {
    let account = account(name, role, stage.now());
    let person = person(account.id, stage.now());
    stage.directory.create_operator(account.clone(), Some(person), None).await.unwrap();
    account
}

async fn decide(
    stage: &Stage,
    id: OperatorId,
    rule: impl Fn(&Known) -> Result<Outcome, Refusal> + Send + Sync + 'static,
) -> Result<(), WriteError> {
    stage.people.decide(Actor::root(), id, Arc::new(rule), stage.now()).await
}

async fn known(stage: &Stage, id: OperatorId) -> Option<Known> {
    stage.people.find(SystemScope, Whom::Operator(id)).await.unwrap()
}

async fn told(stage: &Stage) -> Vec<String> {
    let page = AuditPage { limit: 200, order: Order::Ascending, beyond: None };
    let all = stage.audit.entries(SystemScope, AuditFilter::default(), page).await.unwrap();
    all.rows.into_iter().map(|entry| entry.action).collect()
}

async fn a_person_is_found_by_id_address_and_link_as_they_were_written(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    assert!(stage.people.is_empty(SystemScope).await.unwrap());
    let ada = come(&stage, "ada", Role::Owner).await;
    assert!(!stage.people.is_empty(SystemScope).await.unwrap());
    let expected = Known { account: ada.clone(), person: person(ada.id, stage.now()), sign_ins: vec![] };
    for whom in [
        Whom::Operator(ada.id),
        Whom::Email(ada.email.clone().unwrap()),
        Whom::Invitation(hash(&ada.id.to_string())),
    ] {
        assert!(
            stage.people.find(SystemScope, whom.clone()).await.unwrap() == Some(expected.clone()),
            "{whom:?}"
        );
    }
    for whom in [
        Whom::Operator(OperatorId::mint(stage.now())),
        Whom::Email("eve@example.com".parse().unwrap()),
        Whom::Invitation(hash("another")),
    ] {
        assert!(stage.people.find(SystemScope, whom.clone()).await.unwrap().is_none(), "{whom:?}");
    }
    let plain = Person { second_factor: None, recovery: vec![], invitation: None, ..expected.person };
    let written = plain.clone();
    decide(&stage, ada.id, move |_| Ok(Outcome { person: Some(written.clone()), ..Outcome::default() }))
        .await
        .unwrap();
    assert!(known(&stage, ada.id).await.unwrap().person == plain);
    let program = super::audit::operator("ci", stage.now());
    stage.directory.create_operator(program.clone(), None, None).await.unwrap();
    assert!(known(&stage, program.id).await.is_none(), "a program is no person");
}

async fn a_rule_decides_within_the_transaction_and_what_it_refuses_changes_nothing(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let ada = come(&stage, "ada", Role::Owner).await;
    let before = (known(&stage, ada.id).await, told(&stage).await);
    let refused = decide(&stage, ada.id, |_| Err(Refusal::unauthorized("no"))).await;
    assert_eq!(code(refused), Code::Unauthorized);
    assert!((known(&stage, ada.id).await, told(&stage).await) == before);
    let absent = decide(&stage, OperatorId::mint(stage.now()), |_| Ok(Outcome::default())).await;
    assert_eq!(code(absent), Code::NotFound);

    // Two that use up the same code: the second finds it used.
    let used = hash("one");
    let use_up = || {
        decide(&stage, ada.id, move |known: &Known| {
            let mut person = known.person.clone();
            if !person.recovery.contains(&used) {
                return Err(Refusal::unauthorized("used"));
            }
            person.recovery.retain(|code| *code != used);
            let act = Act::new(Action::OperatorSignIn, "operator", known.account.id);
            Ok(Outcome { person: Some(person), act: Some(act), ..Outcome::default() })
        })
    };
    let both = tokio::join!(use_up(), use_up());
    assert!(matches!(both, (Ok(()), Err(_)) | (Err(_), Ok(()))), "{both:?}");
    assert!(known(&stage, ada.id).await.unwrap().person.recovery == [hash("two")]);
    assert_eq!(told(&stage).await[before.1.len()..], ["operator.sign_in"]);
}

async fn sign_ins_are_found_by_their_cookie_and_are_seen_forwards_only(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (ada, bea) = (come(&stage, "ada", Role::Owner).await, come(&stage, "bea", Role::Viewer).await);
    let (one, two, hers) =
        (sign_in(ada.id, stage.now()), sign_in(ada.id, stage.now()), sign_in(bea.id, stage.now()));
    for opened in [one.clone(), two.clone(), hers.clone()] {
        let id = opened.operator;
        decide(&stage, id, move |_| Ok(Outcome { opens: Some(opened.clone()), ..Outcome::default() }))
            .await
            .unwrap();
    }
    let by = async |hash| stage.people.sign_in(SystemScope, hash).await.unwrap();
    assert_eq!(by(one.hash).await, Some(one.clone()));
    assert_eq!(by(hash("made up")).await, None);
    assert_eq!(known(&stage, ada.id).await.unwrap().sign_ins, [one.clone(), two.clone()], "oldest first");
    let later = stage.in_secs(60);
    for at in [later, stage.in_secs(30)] {
        stage.people.seen(SystemScope, one.id, at).await.unwrap();
    }
    assert_eq!(by(one.hash).await.unwrap().seen_at, later);
    stage.wait_secs(90);
    let stepped = one.id;
    decide(&stage, ada.id, move |_| Ok(Outcome { steps_up: Some(stepped), ..Outcome::default() }))
        .await
        .unwrap();
    assert_eq!(by(one.hash).await.unwrap().stepped_up_at, stage.now());
    // Nobody ends or steps up another's.
    let (theirs, mine) = (hers.id, one.id);
    let outcome = move || Outcome { ends: vec![theirs, mine], steps_up: Some(theirs), ..Outcome::default() };
    decide(&stage, ada.id, move |_| Ok(outcome())).await.unwrap();
    assert_eq!((by(one.hash).await, by(hers.hash).await), (None, Some(hers)));
    assert_eq!(known(&stage, ada.id).await.unwrap().sign_ins, [two]);
}

async fn the_first_person_is_the_first_and_no_two_share_an_address(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let found = async |name: &str| {
        let account = account(name, Role::Owner, stage.now());
        let person = person(account.id, stage.now());
        stage.directory.found(account, person).await
    };
    let program = super::audit::operator("ci", stage.now());
    stage.directory.create_operator(program, None, None).await.unwrap();
    assert_eq!(found("ada").await, Ok(()), "a program is not the first person");
    assert_eq!(code(found("eve").await), Code::Conflict);
    let same = account("ada", Role::Viewer, stage.now());
    let twice = stage.directory.create_operator(same.clone(), Some(person(same.id, stage.now())), None).await;
    assert_eq!(code(twice.map(|_| ())), Code::Conflict);
    assert!(known(&stage, same.id).await.is_none());
    let snapshot = stage.directory.snapshot();
    assert_eq!(snapshot.operators.values().filter(|known| known.email.is_some()).count(), 1);
}

async fn the_last_owner_who_can_sign_in_stays_one(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let (ada, bea) = (come(&stage, "ada", Role::Owner).await, come(&stage, "bea", Role::Owner).await);
    let role = |role| OperatorPatch { role: Some(role), name: None };
    let asked_in = move |known: &Known| {
        let person = Person { password: None, ..known.person.clone() };
        Ok(Outcome { person: Some(person), ..Outcome::default() })
    };
    decide(&stage, bea.id, asked_in).await.unwrap();
    for patch in [role(Role::Admin), role(Role::Viewer)] {
        let refused = stage.directory.patch_operator(ada.id, patch).await;
        assert_eq!(code(refused.map(|_| ())), Code::Conflict, "who was asked in cannot sign in yet");
    }
    assert_eq!(code(stage.directory.revoke_operator(ada.id, stage.now()).await), Code::Conflict);
    let renamed = OperatorPatch { name: Some("Ada L.".into()), role: None };
    let known = told(&stage).await.len();
    for _ in 0..2 {
        assert_eq!(stage.directory.patch_operator(ada.id, renamed.clone()).await.unwrap().name, "Ada L.");
    }
    assert_eq!(told(&stage).await[known..], ["operator.update"], "the second changes nothing");
    let cid = come(&stage, "cid", Role::Owner).await;
    assert_eq!(
        stage.directory.patch_operator(ada.id, role(Role::Support)).await.unwrap().role,
        Role::Support
    );
    assert_eq!(stage.directory.snapshot().operators[&ada.id].role, Role::Support);
    assert_eq!(code(stage.directory.revoke_operator(cid.id, stage.now()).await), Code::Conflict);
    assert_eq!(
        stage.directory.revoke_operator(bea.id, stage.now()).await,
        Ok(()),
        "one who cannot is no last one"
    );
    let gone = stage.directory.patch_operator(bea.id, role(Role::Viewer)).await;
    assert_eq!(code(gone.map(|_| ())), Code::NotFound);
}

async fn whoever_is_removed_is_no_person_and_signed_in_nowhere(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let bea = come(&stage, "bea", Role::Admin).await;
    let opened = sign_in(bea.id, stage.now());
    let cookie = opened.hash;
    decide(&stage, bea.id, move |_| Ok(Outcome { opens: Some(opened.clone()), ..Outcome::default() }))
        .await
        .unwrap();
    stage.directory.revoke_operator(bea.id, stage.now()).await.unwrap();
    assert_eq!(stage.people.sign_in(SystemScope, cookie).await.unwrap(), None);
    for whom in [
        Whom::Operator(bea.id),
        Whom::Email(bea.email.clone().unwrap()),
        Whom::Invitation(hash(&bea.id.to_string())),
    ] {
        assert!(stage.people.find(SystemScope, whom).await.unwrap().is_none());
    }
    assert!(stage.people.is_empty(SystemScope).await.unwrap());
    assert_eq!(code(decide(&stage, bea.id, |_| Ok(Outcome::default())).await), Code::NotFound);
    come(&stage, "bea", Role::Viewer).await;
}

async fn a_tenant_reads_of_the_audit_what_is_its_business_page_by_page(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let other = tenant("basic", stage.now());
    stage.directory.create_tenant(other.clone(), None).await.unwrap();
    let key = api_key(stage.tenant, stage.now());
    stage.directory.create_key(key.clone(), None).await.unwrap();
    stage.directory.create_key(api_key(other.id, stage.now()), None).await.unwrap();
    stage.directory.revoke_key(key.id, stage.now()).await.unwrap();
    for (id, status) in [(stage.tenant, TenantStatus::Suspended), (other.id, TenantStatus::Suspended)] {
        let patch = TenantPatch { status: Some(status), ..TenantPatch::default() };
        stage.directory.patch_tenant(id, patch, stage.now()).await.unwrap();
    }
    let look = Act::new(Action::LookOpen, "look", "lok_1").of(stage.tenant);
    stage.audit.record(Actor::root(), look).await.unwrap();
    stage.audit.record(Actor::root(), Act::new(Action::CallRefused, "call", "GET /x")).await.unwrap();

    let (mut seen, mut beyond) = (vec![], None);
    loop {
        let scope = TenantScope::authenticated(stage.tenant);
        let slice = stage.audit.of_tenant(scope, 2, beyond).await.unwrap();
        assert!(slice.rows.iter().all(|entry| entry.tenant == Some(stage.tenant.to_string())));
        seen.extend(slice.rows);
        beyond = seen.last().map(|entry| entry.seq);
        if !slice.has_more {
            break;
        }
    }
    let words: Vec<_> = seen.iter().map(|entry| &*entry.action).collect();
    assert_eq!(
        words,
        ["look.open", "tenant.suspend", "key.revoke", "key.create", "tenant.create"],
        "newest first"
    );
    let filter = AuditFilter { tenant: Some(other.id), ..AuditFilter::default() };
    let page = AuditPage { limit: 200, order: Order::Ascending, beyond: None };
    let theirs = stage.audit.entries(SystemScope, filter, page).await.unwrap().rows;
    let words: Vec<_> = theirs.iter().map(|entry| &*entry.action).collect();
    assert_eq!(
        words,
        ["tenant.create", "key.create", "tenant.suspend"],
        "an operator narrows the list to one tenant"
    );
}
