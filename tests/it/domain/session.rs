//! Which sessions a boot starts.

use columba::domain::session::{
    Boot, Desired, Engine, Reason, Session, SessionCounters, SessionStatus, Standing, Supervision,
};
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
        proxy: false,
        supervision: Supervision::default(),
        counters: SessionCounters::default(),
        created_at: WallTime(0),
    }
}

#[test]
fn a_boot_starts_what_does_not_wait_for_a_person() {
    use SessionStatus as S;
    for status in SessionStatus::iter() {
        let boot = |reason, desired| session(status, reason, desired).boot();
        let waits = matches!(status, S::LoggedOut | S::Parked);
        let usual = if status == S::Quarantined { Boot::Probed } else { Boot::InTurn };
        assert_eq!(boot(None, Desired::Running), if waits { Boot::Rests } else { usual }, "{status}");
        assert_eq!(boot(None, Desired::LoggedOut), usual, "{status} to log out");
        let banned = if status == S::LoggedOut { Boot::Rests } else { usual };
        assert_eq!(
            boot(Some(Reason::Banned), Desired::Running),
            banned,
            "{status} under a ban, which ends by itself"
        );
    }
}

#[test]
fn whoever_was_starting_at_two_deaths_boots_alone_and_a_third_is_one_too_many() {
    let mut one = session(SessionStatus::Starting, None, Desired::Running);
    let boots: Vec<_> = (0..3)
        .map(|_| {
            one.supervision.starting_at = Some(WallTime(1));
            one.supervision = one.supervision.after_death();
            (one.boot(), one.supervision.is_poison())
        })
        .collect();
    assert_eq!(boots, [(Boot::InTurn, false), (Boot::Alone, false), (Boot::Alone, true)]);
    assert_eq!(one.supervision.after(SessionStatus::Connected).unclean_deaths, 0);
}
