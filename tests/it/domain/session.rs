//! Which sessions a boot starts.

use columba::domain::session::{Desired, Engine, Reason, Session, SessionCounters, SessionStatus, Standing};
use columba::domain::time::WallTime;
use strum::IntoEnumIterator as _;

fn session(status: SessionStatus, reason: Option<Reason>, desired: Desired) -> Session {
    Session {
        id: uuid::Uuid::from_u128(1).into(),
        tenant: uuid::Uuid::from_u128(2).into(),
        label: "sales".to_owned(),
        engine: Engine::Sandbox,
        metadata: serde_json::Map::new(),
        desired,
        status,
        reason,
        reason_code: None,
        since: WallTime(0),
        paired: true,
        standing: Standing::default(),
        counters: SessionCounters::default(),
        created_at: WallTime(0),
    }
}

#[test]
fn a_boot_starts_what_does_not_wait_for_a_person() {
    use SessionStatus as S;
    for status in SessionStatus::iter() {
        let back = |reason, desired| session(status, reason, desired).comes_back();
        let to_run = !matches!(status, S::Quarantined | S::LoggedOut | S::Parked);
        assert_eq!(back(None, Desired::Running), to_run, "{status}");
        assert_eq!(back(None, Desired::LoggedOut), status != S::Quarantined, "{status} to log out");
        let banned = to_run || status == S::Parked;
        assert_eq!(
            back(Some(Reason::Banned), Desired::Running),
            banned,
            "{status} under a ban, which ends by itself"
        );
    }
}
