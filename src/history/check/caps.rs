//! I1 and I1b: the cap.
//!
//! **Attempts.** For every attempt, those of its session in the 60 s before it, itself included, are at most the cap in
//! force when it was decided. Attempts of one boot are measured on its boot-time clock, which nobody can set. An attempt
//! in the first minute of a boot is also held against those of other boots, by the wall; later in a boot, a machine's
//! earlier boots are more than a minute away in any case. The same for the sum of a tenant's sessions where a plan sets
//! one. A cap that was changed less than [`IN_FORCE`] before an attempt may not have reached its session: then the higher
//! one counts.
//!
//! **Frames.** For every frame, those of its session in the 59 s before it are at most the cap. The sender keeps the cap
//! over 61 s of decisions, so two seconds may pass between a decision and its frame before a window at the receiver can
//! hold more. Times are the network's own; where they go back, its clock was set, and windows begin anew.
//!
//! **The log.** Each frame is an attempt in the log, by the same owner: what is not in the log is in no window.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::{Case, Finding};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::time::WallTime;
use crate::history::History;
use crate::history::record::{AttemptLine, CapLine, FrameLine};
use crate::history::verdict::{Evidence, Invariant, Subject};

const WINDOW: Duration = Duration::from_secs(60);
/// As the receiver sees it, with a guard band of a second.
const RECEIVED: Duration = Duration::from_secs(59);
/// A change is dated when it was asked for, and binds once it is on disk and every session has seen it.
const IN_FORCE: Duration = Duration::from_secs(2);

/// What each tenant's plan allowed, and when.
pub(super) struct Caps<'a>(HashMap<TenantId, Vec<&'a CapLine>>);

impl<'a> Caps<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let mut caps: HashMap<_, Vec<_>> = HashMap::new();
        for line in &history.caps {
            caps.entry(line.tenant).or_default().push(line);
        }
        caps.values_mut().for_each(|lines| lines.sort_by_key(|line| line.from));
        Self(caps)
    }

    /// The lines that may have bound what was decided at `at`; none when nothing is known of the tenant.
    fn binding(&self, tenant: TenantId, at: WallTime) -> &[&'a CapLine] {
        let Some(lines) = self.0.get(&tenant) else { return &[] };
        let first = lines.partition_point(|line| line.from <= at - IN_FORCE).saturating_sub(1);
        let beyond = lines.partition_point(|line| line.from <= at).max(first + 1);
        &lines[first..beyond]
    }

    fn of_session(&self, tenant: TenantId, at: WallTime) -> Option<u64> {
        self.binding(tenant, at).iter().map(|line| u64::from(line.per_minute)).max()
    }

    /// `None` when nothing is known, or one that may have bound sets no sum.
    fn of_tenant(&self, tenant: TenantId, at: WallTime) -> Option<u64> {
        let sums = self.binding(tenant, at).iter().map(|line| line.per_minute_tenant.map(u64::from));
        sums.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

/// A run of windows that hold too much is one violation, shown by its first.
#[derive(Default)]
struct Run {
    /// Whether the last window was over.
    over: bool,
}

impl Run {
    /// Whether this window begins a run.
    fn begins(&mut self, is_over: bool) -> bool {
        !std::mem::replace(&mut self.over, is_over) && is_over
    }
}

pub(super) fn attempts(case: &Case<'_>, finding: &mut Finding) {
    let (mut by_session, mut by_tenant): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) = Default::default();
    for attempt in &case.history.attempts {
        by_session.entry(Subject::Session(attempt.session)).or_default().push(attempt);
        by_tenant.entry(Subject::Tenant(attempt.tenant)).or_default().push(attempt);
    }
    finding.counts.attempts = case.history.attempts.len() as u64;
    for (subject, log) in by_session {
        let cap = |attempt: &AttemptLine| case.caps.of_session(attempt.tenant, attempt.wall);
        let counted = windows(subject, &log, cap, "more attempts within 60 s than the cap", finding);
        finding.counts.windows += counted;
        finding.counts.uncapped += log.len() as u64 - counted;
    }
    for (subject, log) in by_tenant {
        let cap = |attempt: &AttemptLine| case.caps.of_tenant(attempt.tenant, attempt.wall);
        let complaint = "more attempts of all sessions within 60 s than the tenant's sum";
        finding.counts.tenant_windows += windows(subject, &log, cap, complaint, finding);
    }
}

/// Looks at the window before each attempt of `log`; at how many.
fn windows(
    subject: Subject,
    log: &[&AttemptLine],
    cap: impl Fn(&AttemptLine) -> Option<u64>,
    complaint: &'static str,
    finding: &mut Finding,
) -> u64 {
    let mut boots: BTreeMap<_, Vec<&AttemptLine>> = BTreeMap::new();
    for attempt in log {
        boots.entry(attempt.boot).or_default().push(attempt);
    }
    let span = WINDOW.as_millis() as u64;
    let mut looked_at = 0;
    for attempts in boots.values_mut() {
        attempts.sort_by_key(|attempt| (attempt.moment, attempt.ord));
        let (mut recent, mut run) = (VecDeque::new(), Run::default());
        for attempt in attempts.iter() {
            recent.push_back(*attempt);
            while recent.front().is_some_and(|oldest| oldest.moment + span <= attempt.moment) {
                recent.pop_front();
            }
            let Some(cap) = cap(attempt) else { continue };
            looked_at += 1;
            let elsewhere = match attempt.moment < span {
                true => before_the_boot(attempt, log).count(),
                false => 0,
            };
            let count = (recent.len() + elsewhere) as u64;
            if run.begins(count > cap) {
                let bound = Evidence::Bound { value: cap, at: attempt.wall };
                let shown = [
                    bound,
                    Evidence::Count { counted: count, stands: cap },
                    Evidence::from(recent[0]),
                    Evidence::from(*attempt),
                ];
                finding.add(Invariant::I1, subject, complaint, shown.to_vec());
            }
        }
    }
    if looked_at > 0 {
        finding.judged(Invariant::I1);
    }
    looked_at
}

/// Attempts of other boots in the minute before one.
fn before_the_boot<'a>(
    attempt: &'a AttemptLine,
    log: &'a [&AttemptLine],
) -> impl Iterator<Item = &'a &'a AttemptLine> {
    log.iter().filter(|other| {
        other.boot != attempt.boot && other.wall > attempt.wall - WINDOW && other.wall <= attempt.wall
    })
}

pub(super) fn frames(case: &Case<'_>, finding: &mut Finding) {
    finding.counts.frames = case.frames.len() as u64;
    let mut by_session: BTreeMap<SessionId, Vec<&FrameLine>> = BTreeMap::new();
    for frame in &case.frames {
        by_session.entry(frame.session).or_default().push(frame);
    }
    for (session, frames) in by_session {
        let Some(row) = case.sessions.get(&session) else { continue };
        let (mut recent, mut run): (VecDeque<&FrameLine>, _) = (VecDeque::new(), Run::default());
        for frame in frames {
            if recent.back().is_some_and(|last| last.at > frame.at) {
                recent.clear();
            }
            recent.push_back(frame);
            while recent.front().is_some_and(|oldest| oldest.at + RECEIVED <= frame.at) {
                recent.pop_front();
            }
            let Some(cap) = case.caps.of_session(row.tenant, frame.at) else {
                finding.counts.uncapped += 1;
                continue;
            };
            finding.counts.frame_windows += 1;
            let count = recent.len() as u64;
            if run.begins(count > cap) {
                let shown = [
                    Evidence::Bound { value: cap, at: frame.at },
                    Evidence::Count { counted: count, stands: cap },
                    Evidence::from(recent[0]),
                    Evidence::from(frame),
                ];
                let complaint = "more frames within 59 s at the receiver than the cap";
                finding.add(Invariant::I1b, Subject::Session(session), complaint, shown.to_vec());
            }
        }
    }
    if finding.counts.frame_windows > 0 {
        finding.judged(Invariant::I1b);
    }
}

pub(super) fn log(case: &Case<'_>, finding: &mut Finding) {
    for row in case.outbound() {
        let (log, subject) = (case.attempts_of(row), Subject::Message(row.id));
        let mut numbers: Vec<_> = log.iter().map(|attempt| attempt.number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.len() < log.len() || numbers.last().is_some_and(|&last| last > row.attempts) {
            let shown = log.iter().map(|attempt| Evidence::from(*attempt)).chain([row.into()]).collect();
            finding.add(
                Invariant::I1,
                subject,
                "the log of attempts and the row's count do not agree",
                shown,
            );
        }
        if !case.history.has_journal || !case.has_whole_log(row) {
            continue;
        }
        let mut owners: BTreeMap<_, i64> = BTreeMap::new();
        for attempt in log {
            *owners.entry(attempt.epoch).or_default() += 1;
        }
        for frame in case.frames_of(row) {
            let left = owners.entry(frame.epoch).or_default();
            *left -= 1;
            if *left == -1 {
                let shown = vec![Evidence::from(*frame), row.into()];
                finding.add(Invariant::I1, subject, "a frame without an attempt in the log", shown);
            }
        }
    }
}
