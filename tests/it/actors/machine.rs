//! Every state takes every input, and the promises in the machine's header hold under any sequence.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use columba::actors::session::deadlines::TimerEpoch;
use columba::actors::session::health;
use columba::actors::session::machine::{Effect, Input, InputName, Machine, State};
use columba::actors::session::reconnect::back_off;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::id::{MessageId, SessionId, TenantId};
use columba::domain::message::{Delivery, MessageStatus, WaId};
use columba::domain::passkey::{Passkey, PasskeyStage};
use columba::domain::plan::{Caps, Pacing};
use columba::domain::session::{
    CloseCause, CloseReason, Epoch, Lease, Reason, Restriction, RestrictionKind, Retry, Standing,
};
use columba::domain::time::{BootId, Jitter, Moment, Reading, WallTime};
use columba::domain::window::SPAN;
use columba::outbound::attempt::{self, End};
use columba::outbound::claim::ClaimError;
use columba::ports::outbox::{Claimed, Memory, Pending, Position, Work};
use columba::ports::store::StoreError;
use proptest::{prelude::*, sample::Index};
use strum::IntoEnumIterator;

const START: Reading =
    Reading { now: Moment(10_000_000), wall: WallTime(1_795_000_000_000), boot: BootId(1) };
const BAN_END: WallTime = WallTime(START.wall.0 + 600_000);
const CAP: u32 = 3;

fn caps() -> Caps {
    Caps {
        per_minute: NonZeroU32::new(CAP).unwrap(),
        per_minute_tenant: None,
        pacing: Pacing::None,
        first_contacts_per_day: None,
        queue_max: 100,
        sessions_max: 1,
        silent: false,
    }
}

fn fresh() -> Machine {
    Machine::new(START, caps(), Jitter::NONE, 7)
}

fn lease() -> Lease {
    let at = WallTime(1);
    Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(1) }
}

fn memory(standing: Standing) -> Input {
    remembered(standing, vec![])
}

fn remembered(standing: Standing, attempts: Vec<Moment>) -> Input {
    Input::Recalled(Ok(Memory { lease: lease(), attempts: Some(attempts), standing, paired: true }))
}

fn message(number: u128) -> MessageId {
    uuid::Uuid::from_u128(number).into()
}

fn chat(number: u64) -> Chat {
    Chat::stored(format!("+1555123{number:04}"))
}

fn pending(number: u64) -> Pending {
    Pending {
        message: message(number.into()),
        position: Position(number as i64),
        chat: chat(number),
        not_before: START.wall,
        scheduled: false,
        attempts: 0,
        status: MessageStatus::Queued,
    }
}

fn work(message: MessageId, number: u32) -> Work {
    Work {
        lease: lease(),
        message,
        number,
        wa_id: WaId(format!("3EB0{message}")),
        to: chat(1),
        content: Content::Text(Text { body: "hello".to_owned() }),
        reply_to: None,
        referred: None,
        delivery: Delivery::AtLeastOnce,
        claimed_at: START.now,
    }
}

/// A machine on which `inputs` were tried at `START`, and the effects of the last one.
fn after(inputs: &[Input]) -> (Machine, Vec<Effect>) {
    let mut machine = fresh();
    let effects = inputs.iter().map(|input| machine.on(START, input.clone())).last();
    (machine, effects.unwrap_or_default())
}

fn code() -> Input {
    Input::CodeShown { code: "2@x".to_owned(), expires_at: START.wall }
}

fn passkey(stage: PasskeyStage) -> Input {
    let code = (stage == PasskeyStage::Confirm).then(|| "ABCD-EFGH".to_owned());
    Input::PasskeyHeard(Passkey { stage, code })
}

fn read(rows: Vec<Pending>) -> Input {
    Input::Read { turn: 1, answer: Ok(rows) }
}

fn claimed(answer: Result<Claimed, ClaimError>) -> Input {
    Input::Claimed { turn: 1, answer }
}

/// The shortest way into each state.
fn way_into(state: State) -> Vec<Input> {
    let open = [Input::Start, memory(Standing::default())];
    let then = |inputs: &[Input]| [&open[..], inputs].concat();
    let one = message(1);
    match state {
        State::Stopped => vec![],
        State::Starting => open.to_vec(),
        State::Pairing => then(&[code()]),
        State::Connected => then(&[Input::Connected]),
        State::Reconnecting => then(&[Input::Closed(CloseReason::TransportLost)]),
        State::Parked => then(&[Input::Closed(CloseReason::Banned { until: BAN_END })]),
        State::LoggedOut => then(&[Input::Closed(CloseReason::LoggedOut { code: 401 })]),
        State::LoggingOut => then(&[Input::LogOut]),
        State::Stopping => then(&[
            Input::Connected,
            read(vec![pending(1)]),
            claimed(Ok(Claimed::Work(work(one, 1)))),
            Input::Stop(Reason::Requested),
        ]),
    }
}

fn last_timer(effects: &[Effect]) -> Option<(TimerEpoch, Moment)> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Arm { epoch, at } => Some((*epoch, *at)),
        _ => None,
    })
}

/// Input, then the state that must follow it in each column's state.
#[rustfmt::skip]
fn table() -> Vec<(Input, [State; 9])> {
    use {CloseReason as C, Input as I, State::*};
    let away = || StoreError::Unavailable("away".to_owned());
    let banned = Standing { banned_until: Some(BAN_END), ..Standing::default() };
    let heard = |stored| I::Heard { wa_id: None, freed: Some(chat(1)), stored };
    // Stopped  Starting  Pairing  Connected  Reconnecting  Parked  LoggedOut  LoggingOut  Stopping
    let same = [Stopped, Starting, Pairing, Connected, Reconnecting, Parked, LoggedOut, LoggingOut, Stopping];
    // Answers of turn 1; a machine that never recalled has turn 0.
    let fenced = [Stopped; 9];
    let links = |next| [Stopped, next, next, next, next, Parked, LoggedOut, LoggingOut, Stopping];
    vec![
        (I::Start,                                [Starting, Starting, Pairing, Connected, Reconnecting, Starting, Starting, LoggingOut, Stopping]),
        (I::Renew,                                [Starting, Starting, Pairing, Connected, Reconnecting, Starting, Starting, LoggingOut, Stopping]),
        (I::Outdated,                             [Stopped, Parked, Parked, Connected, Parked, Parked, LoggedOut, LoggingOut, Stopping]),
        (I::Stop(Reason::Requested),              [Stopped, Stopped, Stopped, Stopped, Stopped, Stopped, Stopped, Stopped, Stopping]),
        (I::LogOut,                               [LoggingOut, LoggingOut, LoggingOut, LoggingOut, LoggingOut, LoggingOut, LoggingOut, LoggingOut, Stopping]),
        (I::Wake,                                 same),
        (memory(Standing::default()),             same),
        (memory(banned),                          [Stopped, Parked, Pairing, Connected, Reconnecting, Parked, LoggedOut, LoggingOut, Stopping]),
        (I::Recalled(Err(away())),                same),
        (I::Recalled(Err(StoreError::Fenced)),    fenced),
        (code(),                                  [Stopped, Pairing, Pairing, Connected, Pairing, Parked, LoggedOut, LoggingOut, Stopping]),
        (passkey(PasskeyStage::Requested),        [Stopped, Pairing, Pairing, Connected, Pairing, Parked, LoggedOut, LoggingOut, Stopping]),
        (I::Paired,                               same),
        (I::Connected,                            [Stopped, Connected, Connected, Connected, Connected, Parked, LoggedOut, LoggingOut, Stopping]),
        (I::OfflineSynced,                        same),
        (I::Restricted(Some(Restriction { kind: RestrictionKind::NewChats, until: BAN_END })), same),
        (I::Restricted(None),                     same),
        (heard(Ok(())),                           same),
        (heard(Err(away())),                      same),
        (heard(Err(StoreError::Fenced)),          fenced),
        (I::Closed(C::RestartRequired),           links(Reconnecting)),
        (I::Closed(C::TransportLost),             links(Reconnecting)),
        (I::Closed(C::ProxyFailed),               links(Reconnecting)),
        (I::Closed(C::ServerUnavailable),         links(Reconnecting)),
        (I::Closed(C::Malformed),                 links(Reconnecting)),
        (I::Closed(C::ProbeFailed),               links(Reconnecting)),
        (I::Closed(C::Throttled),                 links(Reconnecting)),
        (I::Closed(C::Replaced),                  links(Reconnecting)),
        (I::Closed(C::Banned { until: BAN_END }), links(Parked)),
        (I::Closed(C::ClientOutdated),            links(Parked)),
        (I::Closed(C::Unknown { code: 599 }),     links(Parked)),
        (I::Closed(C::LoggedOut { code: 403 }),   links(LoggedOut)),
        (read(vec![]),                            same),
        (I::Read { turn: 1, answer: Err(StoreError::Fenced) }, [Stopped; 9]),
        (claimed(Ok(Claimed::Gone)),              same),
        (claimed(Err(ClaimError::Store(StoreError::Fenced))), fenced),
        (I::Ended { message: message(9), number: 1, end: End::Settled }, same),
        (I::Ended { message: message(1), number: 1, end: End::Settled },
                                                  [Stopped, Starting, Pairing, Connected, Reconnecting, Parked, LoggedOut, LoggingOut, Stopped]),
        (I::GivenUp { message: message(9), number: 1, done: true }, same),
        (I::Recovered(Ok(())),                    same),
        (I::Recovered(Err(StoreError::Fenced)),   fenced),
        (I::Pinged(Some(Duration::ZERO)),         same),
        (I::Pinged(None),                         same),
        (I::Announced(Ok(())),                    same),
        (I::Announced(Err(away())),               same),
        (I::Announced(Err(StoreError::Fenced)),   fenced),
        (I::LoggedOut(Ok(())),                    [Stopped, Starting, Pairing, Connected, Reconnecting, Parked, LoggedOut, LoggedOut, Stopping]),
        (I::LoggedOut(Err(away())),               same),
        (I::LoggedOut(Err(StoreError::Fenced)),   fenced),
        // A timer at its time: the last one armed on the way in, see the test.
        (I::TimerFired(TimerEpoch::default()),    [Stopped, Reconnecting, Parked, Connected, Reconnecting, Starting, LoggedOut, LoggingOut, Stopped]),
    ]
}

#[test]
fn every_state_answers_every_input_as_the_table_says() {
    for (input, expected) in table() {
        for (state, expected) in State::iter().zip(columns(expected)) {
            let (mut machine, effects) = after(&way_into(state));
            assert_eq!(machine.state(), state, "the way into {state:?} leads elsewhere");
            let (input, at) = match (input.clone(), last_timer(&effects)) {
                (Input::TimerFired(_), Some((epoch, now))) => (
                    Input::TimerFired(epoch),
                    Reading { now, wall: START.wall + now.since(START.now), ..START },
                ),
                (input, _) => (input, START),
            };
            machine.on(at, input.clone());
            assert_eq!(machine.state(), expected, "{input:?} in {state:?}");
        }
    }
}

/// The table's columns in the order of the enum.
fn columns(row: [State; 9]) -> Vec<State> {
    let order = [
        State::Stopped,
        State::Starting,
        State::Pairing,
        State::Connected,
        State::Reconnecting,
        State::Parked,
        State::LoggedOut,
        State::LoggingOut,
        State::Stopping,
    ];
    State::iter().map(|state| row[order.iter().position(|column| *column == state).unwrap()]).collect()
}

#[test]
fn no_pair_of_state_and_input_is_missing_from_the_table() {
    assert_eq!(State::iter().count(), 9, "a tenth state needs a column");
    let rows: Vec<Input> = table().into_iter().map(|(input, _)| input).collect();
    for name in InputName::iter() {
        assert!(rows.iter().any(|row| InputName::from(row) == name), "{name:?} has no row");
    }
    for cause in CloseCause::iter() {
        let covered = |row: &Input| matches!(row, Input::Closed(reason) if CloseCause::from(reason) == cause);
        assert!(rows.iter().any(covered), "{cause} has no row");
    }
}

#[test]
fn back_off_grows_as_fibonacci_up_to_a_quarter_of_an_hour() {
    let seconds = |attempt| back_off(attempt, Jitter::NONE).as_secs();
    assert_eq!([1, 2, 3, 4, 5, 6, 15, 16, u32::MAX].map(seconds), [1, 1, 2, 3, 5, 8, 610, 900, 900]);
    assert_eq!(back_off(16, Jitter::from_bits(2000)), Duration::from_secs(990));
}

#[test]
fn a_start_renews_the_right_to_act_and_says_nothing_under_the_old_one() {
    let announces = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Announce(_)));
    for state in [State::Parked, State::LoggedOut] {
        let (mut machine, _) = after(&way_into(state));
        let effects = machine.on(START, Input::Start);
        assert!(effects.contains(&Effect::Recall) && !announces(&effects), "{state:?}: {effects:?}");
        // What was asked before is refused now: no newer owner but itself.
        for refused in [Input::Announced(Err(StoreError::Fenced)), Input::LoggedOut(Err(StoreError::Fenced))]
        {
            assert!(!announces(&machine.on(START, refused)));
            assert_eq!(machine.state(), State::Starting, "{state:?}");
        }
        // The one is still banned, and shows as before; the other starts.
        let answered = machine.on(START, memory(Standing::default()));
        assert_eq!(announces(&answered), state == State::LoggedOut, "{state:?}: {answered:?}");
    }
}

#[test]
fn no_connect_is_tried_before_a_ban_ends_not_even_by_a_start() {
    let (mut machine, effects) = after(&way_into(State::Parked));
    let held = Standing { banned_until: Some(BAN_END), ..Standing::default() };
    assert!(effects.contains(&Effect::Remember(held)), "a next generation has to know");
    let effects = machine.on(START, Input::Start);
    assert!(effects.contains(&Effect::Recall) && !effects.contains(&Effect::Open), "{effects:?}");
    let effects = machine.on(START, memory(Standing::default())); // the store has not heard of the ban yet
    assert_eq!(machine.state(), State::Parked);
    assert!(!effects.contains(&Effect::Open));
    assert_eq!(last_timer(&effects).unwrap().1, START.moment_of(BAN_END), "it comes back by itself");
}

#[test]
fn stability_forgives_failures_and_only_an_hour_forgives_throttling() {
    let (mut machine, _) = after(&way_into(State::Connected));
    let mut at = START;
    let mut wait_after = |reason, stable: u64| {
        machine.on(at, Input::Connected);
        at = Reading { now: at.now + Duration::from_secs(stable), ..at };
        let (_, armed) = last_timer(&machine.on(at, Input::Closed(reason))).unwrap();
        armed.since(at.now).as_secs()
    };
    use CloseReason::{Throttled, TransportLost};
    assert_eq!([1, 1, 1].map(|up| wait_after(TransportLost, up)), [1, 1, 2]);
    assert_eq!(wait_after(TransportLost, 30), 1);
    assert_eq!(wait_after(Throttled, 30), 8);
    assert_eq!(wait_after(TransportLost, 30), 8);
    assert_eq!(wait_after(TransportLost, 3600), 1);
}

#[test]
fn a_second_replacement_within_ten_minutes_parks() {
    let (mut machine, effects) =
        after(&[way_into(State::Connected), vec![Input::Closed(CloseReason::Replaced)]].concat());
    assert_eq!(last_timer(&effects).unwrap().1.since(START.now).as_secs(), 67);
    machine.on(START, Input::Connected);
    machine.on(START, Input::Closed(CloseReason::Replaced));
    assert_eq!(machine.state(), State::Parked);
}

#[test]
fn a_link_that_says_nothing_is_lost_and_another_is_asked_for() {
    for opening in [State::Starting, State::Reconnecting] {
        let (mut machine, effects) = after(&way_into(opening));
        let (mut timer, mut at) = (last_timer(&effects).unwrap(), START);
        if opening == State::Reconnecting {
            at = Reading { now: timer.1, ..at };
            let effects = machine.on(at, Input::TimerFired(timer.0));
            assert!(effects.contains(&Effect::Open), "{effects:?}");
            timer = last_timer(&effects).unwrap();
        }
        assert_eq!(timer.1.since(at.now).as_secs(), 45, "{opening:?}");
        at = Reading { now: timer.1, ..at };
        let effects = machine.on(at, Input::TimerFired(timer.0));
        assert!(effects.contains(&Effect::Close), "{opening:?}: {effects:?}");
        assert_eq!((machine.state(), machine.reason()), (State::Reconnecting, Some(Reason::TransportLost)));
    }
}

/// The first effects of a generation that finds this back-off, and when it goes on.
fn inherits(retry: Option<Retry>, start: Input) -> (Machine, Option<u64>) {
    let standing = Standing { failures: 3, retry, ..Standing::default() };
    let mut machine = fresh();
    machine.on(START, start);
    let effects = machine.on(START, memory(standing));
    let waits = last_timer(&effects).map(|(_, at)| at.since(START.now).as_secs());
    let opened = effects.contains(&Effect::Open);
    (machine, waits.filter(|_| !opened))
}

#[test]
fn a_back_off_outlives_its_generation_and_a_person_ends_those_the_network_has_not_asked_for() {
    use Reason::{ProbeFailed, Replaced, Throttled, TransportLost};
    let minute = START.wall + Duration::from_secs(60);
    // Why, until when; how long a boot waits, how long a person.
    for (reason, at, boot, person) in [
        (TransportLost, minute, Some(60), None),
        (ProbeFailed, minute, Some(60), None),
        (Throttled, minute, Some(60), Some(60)),
        (Replaced, minute, Some(60), Some(60)),
        (TransportLost, START.wall, None, None),
        // The wall clock was set back by a day meanwhile: no longer than the longest there is.
        (Throttled, START.wall + Duration::from_secs(86_400), Some(990), Some(990)),
    ] {
        for (start, expected) in [(Input::Start, boot), (Input::Renew, person)] {
            let (machine, waits) = inherits(Some(Retry { at, reason }), start.clone());
            assert_eq!(waits, expected, "{reason} {start:?}");
            let waiting = (State::Reconnecting, Some(reason));
            let shown = if expected.is_some() { waiting } else { (State::Starting, None) };
            assert_eq!((machine.state(), machine.reason()), shown, "{reason} {start:?}");
        }
    }
    assert_eq!(inherits(None, Input::Start).1, None);
}

#[test]
fn failures_are_counted_over_generations_until_a_probe_shows_a_link_that_held() {
    let (mut machine, _) = inherits(None, Input::Start);
    let effects = machine.on(START, Input::Closed(CloseReason::TransportLost));
    assert_eq!(last_timer(&effects).unwrap().1.since(START.now).as_secs(), 3, "the fourth of 1, 1, 2, 3");
    let remembered = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Remember(standing) => Some(*standing),
            _ => None,
        })
    };
    let kept = remembered(&effects).expect("the next generation has to know");
    let retry = Retry { at: START.wall + Duration::from_secs(3), reason: Reason::TransportLost };
    assert_eq!((kept.failures, kept.retry), (4, Some(retry)));

    machine.on(START, Input::Connected);
    for (after, forgiven) in [(29, None), (30, Some(Standing::default())), (60, None)] {
        let at = Reading { now: START.now + Duration::from_secs(after), ..START };
        let effects = machine.on(at, Input::Pinged(Some(Duration::ZERO)));
        assert_eq!(remembered(&effects), forgiven, "after {after} s: said once");
    }
}

#[test]
fn messages_that_do_not_move_end_the_link_first_and_the_incarnation_the_second_time() {
    let (mut machine, _) = after(&way_into(State::Connected));
    machine.on(START, read(vec![pending(1)])); // claimed, and the store never answers
    let miss = |machine: &mut Machine, secs| {
        let at = Reading { now: START.now + Duration::from_secs(secs), ..START };
        machine.on(at, Input::Pinged(Some(Duration::ZERO)))
    };
    assert!(!miss(&mut machine, 61).contains(&Effect::Close), "one miss is none");
    let effects = miss(&mut machine, 66);
    assert!(effects.contains(&Effect::Close) && !effects.contains(&Effect::Fail), "{effects:?}");
    assert_eq!(machine.reason(), Some(Reason::ProbeFailed));
    machine.on(Reading { now: START.now + Duration::from_secs(70), ..START }, Input::Connected);
    miss(&mut machine, 100);
    let effects = miss(&mut machine, 105);
    assert!(effects.contains(&Effect::Fail), "the same again under a new link: {effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::LogOut { .. })));
}

/// What a ping may take, in the session and in the adapter of bridges.
const PING: Duration = attempt::DEADLINE;

/// Plays a link that works until it freezes: it answers each ping at once or, if it loses them, brings other frames while
/// they are out. How long the session takes to give it up.
fn given_up_after(frozen: Moment, loses_pings: bool, jitter: Jitter) -> Duration {
    let mut machine = Machine::new(START, caps(), jitter, 7);
    let mut timer = None;
    for input in way_into(State::Connected) {
        timer = last_timer(&machine.on(START, input)).or(timer);
    }
    let mut at = START;
    while machine.state() == State::Connected {
        let (epoch, now) = timer.unwrap();
        let now = now.max(at.now); // others may be due while a ping is out
        at = Reading { now, ..at };
        let effects = machine.on(at, Input::TimerFired(epoch));
        timer = last_timer(&effects).or(timer);
        if !effects.contains(&Effect::Ping) {
            continue;
        }
        let works = now < frozen;
        if works && loses_pings {
            let last = Reading { now: frozen.min(now + PING), ..at };
            machine.on(last, Input::Heard { wa_id: None, freed: None, stored: Ok(()) });
        }
        let answer = (works && !loses_pings).then_some(Duration::ZERO);
        at = if answer.is_some() { at } else { Reading { now: now + PING, ..at } };
        let effects = machine.on(at, Input::Pinged(answer));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::LogOut { .. })), "{effects:?}");
        timer = last_timer(&effects).or(timer);
    }
    assert_eq!(machine.reason(), Some(Reason::ProbeFailed));
    at.now.since(frozen)
}

#[test]
fn a_half_open_link_is_given_up_within_65_seconds_whatever_the_jitter_and_whenever_it_froze() {
    let bound = health::found_within(PING);
    assert!(bound <= Duration::from_secs(60), "with five to spare for threads that are late: {bound:?}");
    let mut longest = Duration::ZERO;
    for jitter in [Jitter::from_bits(0), Jitter::NONE, Jitter::from_bits(2_000)] {
        for (froze, loses_pings) in (0..100_000).step_by(97).flat_map(|at| [(at, false), (at, true)]) {
            let frozen = START.now + Duration::from_millis(froze);
            let took = given_up_after(frozen, loses_pings, jitter);
            assert!(took <= bound, "{took:?}: froze at {froze} ms, loses pings {loses_pings}, {jitter:?}");
            longest = longest.max(took);
        }
    }
    assert!(
        longest > bound - Duration::from_secs(1),
        "the bound is the worst case: {longest:?} of {bound:?}"
    );
}

#[test]
fn a_late_probe_blames_our_own_thread_and_not_the_link() {
    let (mut machine, effects) = after(&way_into(State::Connected));
    let (epoch, due) = last_timer(&effects).unwrap();
    let late = Reading { now: due + Duration::from_secs(20), ..START };
    machine.on(late, Input::TimerFired(epoch));
    for _ in 0..3 {
        machine.on(late, Input::Pinged(None));
    }
    assert_eq!(machine.state(), State::Connected);
}

#[test]
fn an_older_claim_is_given_back_and_its_slot_counts() {
    let mut machine = after(&way_into(State::Connected)).0;
    let effects = machine.on(START, read(vec![pending(1)]));
    assert!(matches!(effects[0], Effect::Claim { .. }), "{effects:?}");
    let late = Reading { now: START.now + Duration::from_millis(1_001), ..START };
    let effects = machine.on(late, claimed(Ok(Claimed::Work(work(message(1), 1)))));
    assert_eq!(effects[0], Effect::GiveBack { message: message(1), number: 1 });
    assert!(
        !effects.iter().any(|effect| matches!(effect, Effect::Claim { .. })),
        "not before that is on disk"
    );
    let back = Input::Ended { message: message(1), number: 1, end: End::Again(late.wall) };
    let effects = machine.on(late, back);
    assert!(matches!(effects[0], Effect::Claim { .. }), "the next of {CAP} slots is free: {effects:?}");
}

#[test]
fn an_attempt_without_an_ack_is_given_up_after_a_minute_unless_a_receipt_comes() {
    for receipt in [false, true] {
        let (mut machine, effects) = after(&way_into(State::Connected));
        let probe = last_timer(&effects);
        machine.on(START, read(vec![pending(1)]));
        let sent = work(message(1), 1);
        machine.on(START, claimed(Ok(Claimed::Work(sent.clone()))));
        let mut timer =
            last_timer(&machine.on(START, Input::Ended { message: message(1), number: 1, end: End::Open }))
                .or(probe);
        if receipt {
            machine.on(START, Input::Heard { wa_id: Some(sent.wa_id.clone()), freed: None, stored: Ok(()) });
        }
        let (mut given_up, mut at) = (None, START);
        while at.now.since(START.now) < Duration::from_secs(90) && given_up.is_none() {
            let Some((epoch, now)) = timer.take() else { break };
            at = Reading { now, ..at };
            let effects = machine.on(at, Input::TimerFired(epoch));
            given_up = effects.iter().find(|effect| matches!(effect, Effect::GiveUp { .. })).cloned();
            timer = last_timer(&effects);
            if effects.contains(&Effect::Ping) {
                timer = last_timer(&machine.on(at, Input::Pinged(Some(Duration::ZERO)))).or(timer);
            }
        }
        let expected = (!receipt).then_some(Effect::GiveUp { message: message(1), number: 1 });
        assert_eq!(given_up, expected, "receipt: {receipt}");
    }
}

#[test]
fn a_login_that_brings_a_backlog_along_is_not_given_up_while_it_does() {
    for hears in [false, true] {
        let (mut machine, effects) = after(&[Input::Start, memory(Standing::default())]);
        let (mut epoch, mut due) = last_timer(&effects).expect("an end of its patience");
        let mut at = START;
        for _ in 0..5 {
            at = Reading { now: at.now + Duration::from_secs(30), ..at };
            if due <= at.now {
                machine.on(Reading { now: due, ..at }, Input::TimerFired(epoch));
                break;
            }
            if hears {
                let effects = machine.on(at, Input::Heard { wa_id: None, freed: None, stored: Ok(()) });
                (epoch, due) = last_timer(&effects).expect("it begins anew");
            }
        }
        let expected = if hears { State::Starting } else { State::Reconnecting };
        assert_eq!(machine.state(), expected, "hears: {hears}");
    }
}

#[test]
fn an_ack_that_was_lost_with_its_link_is_dealt_with_under_a_new_epoch_after_the_next_login() {
    for owes in [false, true] {
        let (mut machine, _) = after(&way_into(State::Connected));
        if owes {
            machine.on(START, read(vec![pending(1)]));
            machine.on(START, claimed(Ok(Claimed::Work(work(message(1), 1)))));
            machine.on(START, Input::Ended { message: message(1), number: 1, end: End::Open });
        }
        machine.on(START, Input::Recovered(Ok(())));
        let effects = machine.on(START, Input::Closed(CloseReason::TransportLost));
        let (epoch, now) = last_timer(&effects).unwrap();
        let at = Reading { now, wall: START.wall + now.since(START.now), ..START };
        let mut effects = machine.on(at, Input::TimerFired(epoch));
        if owes {
            assert!(effects.contains(&Effect::Recall) && !effects.contains(&Effect::Open), "{effects:?}");
            effects = machine.on(at, Input::Recalled(Err(StoreError::Unavailable("away".to_owned()))));
            let (epoch, now) = last_timer(&effects).expect("it asks again");
            let at = Reading { now, ..at };
            assert!(machine.on(at, Input::TimerFired(epoch)).contains(&Effect::Recall));
            effects = machine.on(at, memory(Standing::default()));
        }
        assert!(effects.contains(&Effect::Open), "{effects:?}");
        assert_eq!(machine.state(), State::Reconnecting);
        machine.on(at, Input::Connected);
        let effects = machine.on(at, Input::OfflineSynced);
        let due = last_timer(&effects).map(|(epoch, now)| (epoch, Reading { now, ..at }));
        let recovers = due
            .is_some_and(|(epoch, at)| machine.on(at, Input::TimerFired(epoch)).contains(&Effect::Recover));
        assert_eq!(recovers, owes, "a link that owes nothing leaves nothing to be dealt with");
    }
}

#[test]
fn a_read_that_is_older_than_the_end_of_an_attempt_blocks_no_chat() {
    let mut machine = after(&way_into(State::Connected)).0;
    machine.on(START, read(vec![pending(1)]));
    machine.on(START, claimed(Ok(Claimed::Work(work(message(1), 1)))));
    let effects = machine.on(START, Input::Recovered(Ok(())));
    assert!(effects.contains(&Effect::Read { turn: 1, after: Position(0) }), "{effects:?}");
    machine.on(START, Input::Ended { message: message(1), number: 1, end: End::Settled });
    let stale = Pending { status: MessageStatus::Sending, ..pending(1) };
    let next = Pending { chat: chat(1), ..pending(2) };
    let effects = machine.on(START, read(vec![stale, next]));
    let claims = |effect: &Effect| matches!(effect, Effect::Claim { message: id, .. } if *id == message(2));
    assert!(effects.iter().any(claims), "{effects:?}");
}

#[test]
fn a_read_that_was_out_when_everything_was_forgotten_begins_again_at_the_beginning() {
    let mut machine = after(&way_into(State::Connected)).0;
    let later = Pending { not_before: START.wall + Duration::from_secs(3600), ..pending(1) };
    machine.on(START, read(vec![later]));
    let effects = machine.on(START, Input::Wake);
    assert!(effects.contains(&Effect::Read { turn: 1, after: Position(1) }), "{effects:?}");
    machine.on(START, Input::Recovered(Ok(())));
    let effects = machine.on(START, read(vec![pending(2)]));
    assert!(effects.contains(&Effect::Read { turn: 1, after: Position(0) }), "{effects:?}");
}

#[test]
fn a_session_with_nothing_in_memory_looks_from_the_beginning() {
    let mut machine = after(&way_into(State::Connected)).0;
    machine.on(START, read(vec![pending(1)]));
    machine.on(START, claimed(Ok(Claimed::Work(work(message(1), 1)))));
    machine.on(START, Input::Ended { message: message(1), number: 1, end: End::Settled });
    let effects = machine.on(START, Input::Wake);
    assert!(effects.contains(&Effect::Read { turn: 1, after: Position(0) }), "{effects:?}");
}

#[test]
fn a_message_under_way_keeps_its_chat_to_itself_when_everything_is_read_again() {
    let mut machine = after(&way_into(State::Connected)).0;
    machine.on(START, read(vec![pending(1)]));
    machine.on(START, claimed(Ok(Claimed::Work(work(message(1), 1)))));
    machine.on(START, Input::Recovered(Ok(())));
    let own = Pending { status: MessageStatus::Sending, ..pending(1) };
    let next = Pending { chat: chat(1), ..pending(2) };
    let effects = machine.on(START, read(vec![own, next]));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Claim { .. })), "{effects:?}");
    let effects = machine.on(START, Input::Ended { message: message(1), number: 1, end: End::Settled });
    assert!(matches!(effects[0], Effect::Claim { .. }), "{effects:?}");
}

#[test]
fn the_last_word_is_on_disk_before_the_end_unless_the_store_takes_too_long() {
    let asked_to_stop = || {
        let (mut machine, _) = after(&way_into(State::Connected));
        let effects = machine.on(START, Input::Stop(Reason::Requested));
        let announced = |effect: &Effect| matches!(effect, Effect::Announce(_));
        assert!(effects.iter().any(announced) && !effects.contains(&Effect::Exit), "{effects:?}");
        (machine, last_timer(&effects).unwrap())
    };
    let (mut machine, _) = asked_to_stop();
    let mut answer = || machine.on(START, Input::Announced(Ok(()))).contains(&Effect::Exit);
    // What was announced on the way in is answered first.
    assert_eq!([answer(), answer(), answer()], [false, false, true]);

    let (mut machine, (epoch, now)) = asked_to_stop();
    assert_eq!(now.since(START.now).as_secs(), 2);
    assert!(machine.on(Reading { now, ..START }, Input::TimerFired(epoch)).contains(&Effect::Exit));
}

// ---- a small world around the machine ---------------------------------------------------------------------------

/// What a step of the world does.
#[derive(Debug, Clone)]
enum Step {
    /// The oldest or some other open question is answered; `luck` decides how.
    Answer(Index, u8),
    /// The timer fires, time running ahead to it.
    Fire,
    /// Time passes.
    Pass(u16),
    /// The wall and boot clocks are set back.
    JumpBack(u16),
    /// Something comes from outside.
    Outside(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<Index>(), any::<u8>()).prop_map(|(which, luck)| Step::Answer(which, luck)),
        3 => Just(Step::Fire),
        3 => (0..5_000u16).prop_map(Step::Pass),
        1 => (0..2_000u16).prop_map(Step::JumpBack),
        2 => any::<u8>().prop_map(Step::Outside),
    ]
}

struct World {
    machine: Machine,
    at: Reading,
    true_now: u64,
    open: VecDeque<Effect>,
    timer: Option<(TimerEpoch, Moment)>,
    /// When something left, in true time.
    attempts: Vec<u64>,
    /// The store's log of claims, which every recall reads.
    log: Vec<Moment>,
    /// Turns with a claim out; those of earlier owners are answered to nobody.
    claims_open: Vec<u64>,
    logged_out_asked: bool,
    exited: bool,
    failed: bool,
}

impl World {
    fn tell(&mut self, input: Input) {
        let effects = self.machine.on(self.at, input);
        let timers = effects.iter().filter(|effect| matches!(effect, Effect::Arm { .. })).count();
        assert!(timers <= 1, "{effects:?}");
        for effect in effects {
            match effect {
                Effect::Arm { epoch, at } => {
                    assert!(self.timer.is_none_or(|(old, _)| old < epoch), "epochs only grow");
                    self.timer = Some((epoch, at));
                }
                Effect::Exit => self.exited = true,
                Effect::Fail => self.failed = true,
                Effect::LogOut { .. } => {
                    assert!(self.logged_out_asked, "credentials touched and nobody asked");
                    self.open.push_back(effect);
                }
                Effect::Claim { turn, .. } => {
                    assert_eq!(self.machine.state(), State::Connected, "claims only while connected");
                    assert!(!self.claims_open.contains(&turn), "one claim at a time");
                    self.claims_open.push(turn);
                    self.open.push_back(effect);
                }
                Effect::Attempt(_) => {
                    self.attempts.push(self.true_now);
                    self.open.push_back(effect);
                }
                effect => self.open.push_back(effect),
            }
        }
    }

    fn answer(&mut self, which: Index, luck: u8) {
        if self.open.is_empty() {
            return;
        }
        let index = which.index(self.open.len());
        let effect = self.open.remove(index).unwrap();
        let away = || StoreError::Unavailable("away".to_owned());
        let lucky = luck >= 40;
        match effect {
            Effect::Recall if lucky => {
                let recent = |attempt: &&Moment| self.at.now.since(**attempt) < SPAN;
                let log = self.log.iter().filter(recent).copied().collect();
                self.tell(remembered(Standing::default(), log));
            }
            Effect::Recall => self.tell(Input::Recalled(Err(away()))),
            Effect::Open => match luck % 8 {
                0 => self.tell(Input::Closed(CloseReason::TransportLost)),
                1 => self.tell(code()),
                _ => self.tell(Input::Connected),
            },
            Effect::Announce(_) => self.tell(Input::Announced(if lucky { Ok(()) } else { Err(away()) })),
            Effect::Read { turn, after } => {
                let rows =
                    (0..u64::from(luck % 4)).map(|offset| pending(after.0 as u64 + 1 + offset)).collect();
                self.tell(Input::Read { turn, answer: if lucky { Ok(rows) } else { Err(away()) } });
            }
            Effect::Claim { turn, message, at, .. } => {
                self.claims_open.retain(|open| *open != turn);
                let answer = match luck % 6 {
                    0 => Ok(Claimed::Gone),
                    1 => Ok(Claimed::NotYet { until: self.at.wall + Duration::from_secs(2) }),
                    2 => Err(ClaimError::Store(away())),
                    _ => {
                        self.log.push(at.now); // the store dates the attempt by its claim
                        Ok(Claimed::Work(work(message, 1)))
                    }
                };
                self.tell(Input::Claimed { turn, answer });
            }
            Effect::Attempt(work) => {
                let end = match luck % 4 {
                    0 => End::Open,
                    1 => End::Again(self.at.wall + Duration::from_secs(1)),
                    _ => End::Settled,
                };
                self.tell(Input::Ended { message: work.message, number: work.number, end });
            }
            Effect::GiveBack { message, number } => {
                let end = if lucky { End::Again(self.at.wall) } else { End::Open };
                self.tell(Input::Ended { message, number, end });
            }
            Effect::GiveUp { message, number } => self.tell(Input::GivenUp { message, number, done: lucky }),
            Effect::Recover => self.tell(Input::Recovered(if lucky { Ok(()) } else { Err(away()) })),
            Effect::Ping => self.tell(Input::Pinged(lucky.then_some(Duration::ZERO))),
            Effect::LogOut { .. } => self.tell(Input::LoggedOut(if lucky { Ok(()) } else { Err(away()) })),
            _ => {}
        }
    }

    fn pass(&mut self, millis: u64) {
        self.true_now += millis;
        self.at.now = Moment(self.at.now.0 + millis);
        self.at.wall = self.at.wall + Duration::from_millis(millis);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Answer(which, luck) => self.answer(which, luck),
            Step::Fire => {
                if let Some((epoch, at)) = self.timer.take() {
                    self.pass(at.since(self.at.now).as_millis() as u64);
                    self.tell(Input::TimerFired(epoch));
                }
            }
            Step::Pass(millis) => self.pass(millis.into()),
            Step::JumpBack(millis) => {
                self.at.now = Moment(self.at.now.0.saturating_sub(millis.into()));
                self.at.wall = self.at.wall - Duration::from_millis(millis.into());
            }
            Step::Outside(kind) => {
                let reason = |index: u8| CloseReason::iter().nth(index as usize % 11).unwrap();
                let until = self.at.wall + Duration::from_secs(60);
                match kind % 16 {
                    0..=5 => self.tell(Input::Wake),
                    6..=8 => self.tell(Input::Start),
                    9 => self.tell(Input::OfflineSynced),
                    10 => {
                        let kind = RestrictionKind::Timelock;
                        self.tell(Input::Restricted(Some(Restriction { kind, until })))
                    }
                    11 => self.tell(Input::TimerFired(TimerEpoch(u64::from(kind)))),
                    _ => self.tell(Input::Closed(match reason(kind) {
                        CloseReason::Banned { .. } => CloseReason::Banned { until },
                        other => other,
                    })),
                }
            }
        }
    }
}

proptest! {

    #[test]
    fn under_any_sequence_the_promises_hold(
        steps in prop::collection::vec(step(), 1..400),
        log_out in any::<bool>(),
    ) {
        let mut world = World {
            machine: fresh(),
            at: START,
            true_now: 0,
            open: VecDeque::new(),
            timer: None,
            attempts: vec![],
            log: vec![],
            claims_open: vec![],
            logged_out_asked: false,
            exited: false,
            failed: false,
        };
        world.tell(Input::Start);
        for (index, step) in steps.iter().enumerate() {
            if log_out && index == steps.len() / 2 {
                world.logged_out_asked = true;
                world.tell(Input::LogOut);
            }
            world.step(step.clone());
            if world.failed {
                break; // another incarnation goes on
            }
            prop_assert!(!world.exited, "nobody asked for an exit");
        }
        for (first, beyond) in world.attempts.iter().zip(world.attempts.iter().skip(CAP as usize)) {
            prop_assert!(beyond - first > 60_000, "{} attempts within {} ms", CAP + 1, beyond - first);
        }
    }
}
