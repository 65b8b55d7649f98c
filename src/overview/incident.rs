//! What is wrong, in plain words: what happened, since when, what Columba does about it, and what a person can do.

use std::collections::BTreeMap;

use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::{Reason, SessionStatus};
use crate::domain::time::WallTime;
use crate::domain::word::words;
use crate::meters::Refused;
use crate::ports::lookout::Sight;

/// Tenants that are named one by one; what more of them have is told once, of all.
const NAMED: usize = 5;

words! {
    /// What kind of incident it is.
    pub enum Kind {
        /// A part of this server does not work.
        PartFailing,
        /// A part that can be done without is away.
        PartAway,
        /// A bridge's process does not stay up.
        BridgeDown,
        /// Sessions crashed too often.
        CrashLoop,
        /// The network banned accounts for a time.
        Banned,
        /// The network serves this version of an engine no more.
        ClientOutdated,
        /// Somebody else opened accounts.
        Replaced,
        /// Sessions were logged out by the network or by the phone.
        LoggedOut,
        /// Sessions wait for a person for another reason.
        Parked,
        /// Sessions have had no link for minutes.
        Reconnecting,
        /// The network limits accounts.
        Restricted,
        /// Endpoints were disabled.
        WebhooksDisabled,
        /// Endpoints answer nothing good.
        WebhooksFailing,
        /// Somebody who was sent a pairing link says that they did not ask for it.
        PairingReported,
        /// Notices of the payment provider are refused.
        NoticesRefused,
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// What kind.
    pub kind: Kind,
    /// When there was last news of it.
    pub at: WallTime,
    /// Since when, where that is known.
    pub since: Option<WallTime>,
    /// Whom it concerns, if it is one.
    pub tenant: Option<TenantId>,
    /// Which session, if it is one.
    pub session: Option<SessionId>,
    /// How many sessions, endpoints or parts.
    pub count: u64,
    /// What happened, and what Columba does about it.
    pub text: String,
    /// What a person can do.
    pub next: &'static str,
}

/// What is known besides what the store counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct House {
    /// Parts that this server needs and that do not work.
    pub failing: Vec<&'static str>,
    /// Parts that it can do without and that are away.
    pub away: Vec<&'static str>,
    /// Bridge processes that are down: engine and how many.
    pub bridges: Vec<(String, u64)>,
    /// Pairing links that were reported, newest last.
    pub reports: Vec<(WallTime, TenantId, SessionId)>,
    /// Notices of the payment provider that were refused within the hour.
    pub refused_notices: Option<Refused>,
}

/// Every incident at `at`, those with the newest news first. `name` says what a tenant is called.
pub fn incidents(
    sight: &Sight,
    house: &House,
    name: impl Fn(TenantId) -> Option<String>,
    at: WallTime,
) -> Vec<Incident> {
    let mut found = of_house(house, at);
    let mut by_kind: BTreeMap<Kind, Vec<Share>> = BTreeMap::new();
    for share in shares(sight, house) {
        by_kind.entry(share.kind).or_default().push(share);
    }
    for (kind, shares) in by_kind {
        let shares = by_tenant(shares);
        if shares.len() <= NAMED {
            found.extend(shares.into_iter().map(|share| one(kind, share, &name)));
        } else {
            found.push(many(kind, &shares));
        }
    }
    found.sort_by_key(|incident| (std::cmp::Reverse(incident.at), incident.kind, incident.tenant));
    for incident in &mut found {
        // Of what nobody noted the beginning of it is known that it is so now; it stands last all the same.
        incident.at = known(incident.at).unwrap_or(at);
    }
    found
}

/// What one tenant has of a kind.
#[derive(Debug, Clone, Copy)]
struct Share {
    kind: Kind,
    tenant: TenantId,
    session: Option<SessionId>,
    count: u64,
    since: WallTime,
    latest: WallTime,
}

/// The kind that sessions with this status and reason are; nothing for what people asked for.
fn kind_of(status: SessionStatus, reason: Option<Reason>) -> Option<Kind> {
    use SessionStatus as S;
    match (status, reason) {
        (S::Quarantined, _) => Some(Kind::CrashLoop),
        (S::LoggedOut, Some(Reason::Requested)) => None,
        (S::LoggedOut, _) => Some(Kind::LoggedOut),
        (S::Reconnecting, _) => Some(Kind::Reconnecting),
        (S::Parked, Some(Reason::Requested | Reason::TenantSuspended | Reason::PairingTimeout)) => None,
        (S::Parked, Some(Reason::Banned)) => Some(Kind::Banned),
        (S::Parked, Some(Reason::ClientOutdated)) => Some(Kind::ClientOutdated),
        (S::Parked, Some(Reason::Replaced)) => Some(Kind::Replaced),
        (S::Parked, _) => Some(Kind::Parked),
        (S::Stopped | S::Starting | S::Pairing | S::Connected, _) => None,
    }
}

fn shares(sight: &Sight, house: &House) -> Vec<Share> {
    let mut all = vec![];
    for group in &sight.groups {
        let Some(kind) = kind_of(group.status, group.reason) else { continue };
        all.push(Share {
            kind,
            tenant: group.tenant,
            session: Some(group.example),
            count: group.sessions,
            since: group.since,
            latest: group.latest,
        });
    }
    for limited in &sight.restricted {
        // Nobody noted when it began.
        let (tenant, session, count) = (limited.tenant, Some(limited.example), limited.sessions);
        let unknown = WallTime::default();
        all.push(Share { kind: Kind::Restricted, tenant, session, count, since: unknown, latest: unknown });
    }
    for endpoints in &sight.endpoints {
        let mut add = |kind, count, since: Option<WallTime>| {
            let since = since.unwrap_or_default();
            if count > 0 {
                all.push(Share {
                    kind,
                    tenant: endpoints.tenant,
                    session: None,
                    count,
                    since,
                    latest: since,
                });
            }
        };
        add(Kind::WebhooksDisabled, endpoints.disabled, endpoints.disabled_since);
        add(Kind::WebhooksFailing, endpoints.failing, endpoints.failing_since);
    }
    for &(at, tenant, session) in &house.reports {
        let (kind, session) = (Kind::PairingReported, Some(session));
        all.push(Share { kind, tenant, session, count: 1, since: at, latest: at });
    }
    all
}

/// One share a tenant.
fn by_tenant(shares: Vec<Share>) -> Vec<Share> {
    let mut joined: BTreeMap<TenantId, Share> = BTreeMap::new();
    for share in shares {
        let all = joined.entry(share.tenant).or_insert(Share { count: 0, ..share });
        all.count += share.count;
        all.since = all.since.min(share.since);
        all.latest = all.latest.max(share.latest);
    }
    joined.into_values().collect()
}

fn one(kind: Kind, share: Share, name: &impl Fn(TenantId) -> Option<String>) -> Incident {
    let whose = name(share.tenant).map_or_else(|| "a tenant".to_owned(), |name| format!("“{name}”"));
    Incident {
        kind,
        at: share.latest,
        since: known(share.since),
        tenant: Some(share.tenant),
        session: share.session.filter(|_| share.count == 1),
        count: share.count,
        text: text(kind, share.count, &whose),
        next: next(kind),
    }
}

fn many(kind: Kind, shares: &[Share]) -> Incident {
    let count = shares.iter().map(|share| share.count).sum();
    Incident {
        kind,
        at: shares.iter().map(|share| share.latest).max().unwrap_or_default(),
        since: shares.iter().map(|share| share.since).min().and_then(known),
        tenant: None,
        session: None,
        count,
        text: text(kind, count, &format!("{} tenants", shares.len())),
        next: next(kind),
    }
}

fn known(at: WallTime) -> Option<WallTime> {
    Some(at).filter(|at| *at > WallTime::default())
}

/// `5 sessions of “Acme” …`.
fn text(kind: Kind, count: u64, whose: &str) -> String {
    let things = |one: &str, many: &str| match count {
        1 => format!("1 {one} of {whose}"),
        _ => format!("{count} {many} of {whose}"),
    };
    let (sessions, endpoints) = (things("session", "sessions"), things("endpoint", "endpoints"));
    let is = if count == 1 { "is" } else { "are" };
    match kind {
        Kind::CrashLoop => format!(
            "{sessions} crashed too often and {is} quarantined; each is tried again after 15 min, 1 h and 6 h."
        ),
        Kind::Banned => format!("The network banned {sessions} for a time; nothing connects before it ends."),
        Kind::ClientOutdated => {
            format!("The network serves the version of {sessions} no more; nothing is retried.")
        }
        Kind::Replaced => {
            format!("Somebody else opened the account of {sessions} twice; nothing is retried.")
        }
        Kind::LoggedOut => {
            format!(
                "{sessions} {is} logged out: the phone unlinked it, or the network did. Nothing is retried."
            )
        }
        Kind::Parked => {
            format!("{sessions} {is} parked: the network closed with a reason that is no use to retry.")
        }
        Kind::Reconnecting => {
            format!("{sessions} {is} without a link for minutes; retried with growing pauses.")
        }
        Kind::Restricted => {
            format!("The network limits {sessions}; messages to new chats wait, replies go on.")
        }
        Kind::WebhooksDisabled => {
            format!(
                "{endpoints} {is} disabled after five days of failures or an answer of 410; events go to the log only."
            )
        }
        Kind::WebhooksFailing => {
            format!(
                "{endpoints} {is} failing; deliveries are retried for a day and more, each with growing pauses."
            )
        }
        Kind::PairingReported => {
            format!(
                "Somebody who was sent a pairing link for {sessions} says that they did not ask for it; the link is closed."
            )
        }
        Kind::PartFailing | Kind::PartAway | Kind::BridgeDown | Kind::NoticesRefused => String::new(),
    }
}

fn next(kind: Kind) -> &'static str {
    match kind {
        Kind::PartFailing => {
            "See /readyz?verbose and the log; no load balancer should send requests here meanwhile."
        }
        Kind::PartAway => "Everything goes on without it, slower; see the log for why it does not answer.",
        Kind::BridgeDown => "See the log for how it ended; Transports shows each process.",
        Kind::CrashLoop => "Look for its panic in the log, then start it.",
        Kind::Banned => "Wait for the end of the ban; then let it send less, and to people who know it.",
        Kind::ClientOutdated => "Pin a newer release of the engine, then start the sessions.",
        Kind::Replaced => "Find out who else uses the account and end that, then start the session.",
        Kind::LoggedOut => "Pair it again; what is queued waits until it expires.",
        Kind::Parked => "See the reason on the session, then start it.",
        Kind::Reconnecting => "If many began at once, look at the network and at the proxy; else wait.",
        Kind::Restricted => "Let it answer those who write and begin no new chats until the limit ends.",
        Kind::WebhooksDisabled => {
            "Ask the tenant to mend the endpoint and to enable it; then replay the missed range."
        }
        Kind::WebhooksFailing => "Ask the tenant to look at the endpoint; the delivery log has its answers.",
        Kind::NoticesRefused => {
            "Compare billing.stripe.endpoint_secrets with the secret of this endpoint; Stripe repeats a notice for three \
             days. If they are the same, somebody else sends these, and nothing is lost."
        }
        Kind::PairingReported => {
            "Ask the tenant who was to link this number; see the audit for who made the link."
        }
    }
}

fn of_house(house: &House, at: WallTime) -> Vec<Incident> {
    let incident = |kind, count, text: String| Incident {
        kind,
        at,
        since: None,
        tenant: None,
        session: None,
        count,
        text,
        next: next(kind),
    };
    let failing = house.failing.iter().map(|part| {
        incident(Kind::PartFailing, 1, format!("This server is not ready: the check “{part}” does not pass."))
    });
    let away = house.away.iter().map(|part| {
        incident(Kind::PartAway, 1, format!("“{part}” does not answer; Columba does without it."))
    });
    let bridges = house.bridges.iter().map(|(engine, count)| {
        let text = match count {
            1 => format!("1 bridge process of the engine {engine} is down; it is started again with growing pauses."),
            _ => format!("{count} bridge processes of the engine {engine} are down; they are started again with growing pauses."),
        };
        incident(Kind::BridgeDown, *count, text)
    });
    let refused = house.refused_notices.map(|Refused { count, since, latest }| {
        let notices = if count == 1 { "1 notice".to_owned() } else { format!("{count} notices") };
        let text = format!(
            "{notices} of the payment provider came within the hour and could not be believed or read; what they say was \
             paid is not noted."
        );
        Incident { at: latest, since: Some(since), ..incident(Kind::NoticesRefused, count, text) }
    });
    failing.chain(away).chain(bridges).chain(refused).collect()
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;
    use crate::ports::lookout::{Endpoints, Group, Restricted};

    const NOW: WallTime = WallTime(1_795_000_000_000);

    fn tenant(n: i64) -> TenantId {
        TenantId::below(WallTime(n))
    }

    fn session(n: i64) -> SessionId {
        SessionId::below(WallTime(n))
    }

    fn group(n: i64, status: SessionStatus, reason: Option<Reason>, sessions: u64) -> Group {
        let (since, latest) = (WallTime(NOW.0 - 9_000), WallTime(NOW.0 - n));
        Group { tenant: tenant(n), status, reason, sessions, since, latest, example: session(n) }
    }

    fn told(sight: &Sight) -> Vec<Incident> {
        incidents(sight, &House::default(), |tenant| Some(format!("T{tenant}")), NOW)
    }

    #[test]
    fn what_people_asked_for_is_no_incident() {
        use SessionStatus as S;
        let quiet = [
            (S::LoggedOut, Some(Reason::Requested)),
            (S::Parked, Some(Reason::TenantSuspended)),
            (S::Parked, Some(Reason::PairingTimeout)),
            (S::Parked, Some(Reason::Requested)),
        ];
        let groups = quiet.map(|(status, reason)| group(1, status, reason, 1)).to_vec();
        assert_eq!(told(&Sight { groups, ..Sight::default() }), []);
        for status in S::iter() {
            for reason in Reason::iter().map(Some).chain([None]) {
                let works = matches!(status, S::Stopped | S::Starting | S::Pairing | S::Connected);
                let expected = !works && !quiet.contains(&(status, reason));
                assert_eq!(kind_of(status, reason).is_some(), expected, "{status} {reason:?}");
            }
        }
    }

    #[test]
    fn one_session_is_named_several_are_counted_and_many_tenants_are_one_incident() {
        let lost = |n, sessions| group(n, SessionStatus::LoggedOut, Some(Reason::DeviceRemoved), sessions);
        let found = told(&Sight { groups: vec![lost(1, 1), lost(2, 3)], ..Sight::default() });
        let seen: Vec<_> = found.iter().map(|one| (one.tenant, one.session, one.count)).collect();
        assert_eq!(seen, [(Some(tenant(1)), Some(session(1)), 1), (Some(tenant(2)), None, 3)]);
        assert!(
            found[1].text.starts_with("3 sessions of “T") && found[1].text.contains("are logged out"),
            "{}",
            found[1].text
        );

        let groups: Vec<_> = (1..=6).map(|n| lost(n, 2)).collect();
        let found = told(&Sight { groups, ..Sight::default() });
        assert_eq!((found.len(), found[0].tenant, found[0].count), (1, None, 12));
        assert!(found[0].text.starts_with("12 sessions of 6 tenants"), "{}", found[0].text);
    }

    #[test]
    fn every_kind_has_words_that_say_what_and_what_next() {
        let mut groups = vec![];
        for status in SessionStatus::iter() {
            groups.extend(Reason::iter().map(|reason| group(1, status, Some(reason), 2)));
        }
        let sight = Sight {
            groups,
            restricted: vec![Restricted { tenant: tenant(1), sessions: 1, until: NOW, example: session(1) }],
            endpoints: vec![Endpoints {
                disabled: 1,
                disabled_since: Some(NOW),
                failing: 1,
                failing_since: Some(NOW),
                ..Endpoints::well(tenant(1))
            }],
            ..Sight::default()
        };
        let house = House {
            failing: vec!["store"],
            away: vec!["redis"],
            bridges: vec![("native".to_owned(), 1), ("baileys".to_owned(), 2)],
            reports: vec![(NOW, tenant(1), session(1))],
            refused_notices: Some(Refused { count: 2, since: NOW, latest: NOW }),
        };
        let found = incidents(&sight, &house, |_| None, NOW);
        for kind in Kind::iter() {
            let one = found.iter().find(|one| one.kind == kind).unwrap_or_else(|| panic!("{kind}"));
            assert!(one.text.len() > 20 && one.text.ends_with('.') && one.next.ends_with('.'), "{one:?}");
            assert!(one.since.is_none_or(|since| since > WallTime::default()), "{one:?}");
        }
        let dated: Vec<_> = found.iter().filter(|one| one.kind != Kind::Restricted).collect();
        assert!(dated.windows(2).all(|two| two[0].at >= two[1].at), "newest first");
        assert_eq!(found.last().map(|one| (one.kind, one.at)), Some((Kind::Restricted, NOW)));
    }
}
