//! The end of a world: all trouble is over, it runs to quiet, and what happened is judged.

use std::time::Duration;

use chrono_tz::Tz;
use columba::domain::chat::Chat;
use columba::domain::message::{Message, MessageStatus};
use columba::domain::page::Page;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::Desired;
use columba::history::History;
use columba::history::check::{Terms, check};
use columba::history::record::{AttemptLine, Charge, MessageLine, SessionLine, UsageLine};
use columba::history::verdict::Counts;
use columba::ports::clock::Clock as _;
use columba::ports::messages::MessageFilter;
use columba::ports::outbox::Outbox as _;
use uuid::Uuid;

use super::clock::dated;
use super::network::{LOCKING, REFUSING};
use super::store::Mood;
use super::world::{World, now};

/// Everything that waits ends within so long: a message lives for a quarter of an hour at most, and a wall clock that was
/// an hour ahead and then is an hour behind adds two.
const PATIENCE: u64 = 4 * 3_600_000;
/// Steps that a world may take to come to rest.
const STEPS: u32 = 200_000;

impl World {
    pub fn rows(&self) -> Vec<Message> {
        let page = Page { before: None, limit: 10_000 };
        let rows = self.tenants.iter().map(|&tenant| {
            let scope = TenantScope::authenticated(tenant);
            now(self.stores.messages.list(scope, MessageFilter::default(), page)).unwrap().rows
        });
        rows.flatten().collect()
    }

    /// Runs in the order of time until nothing waits.
    pub fn run_to_quiet(&mut self) {
        self.network.well = true;
        self.outbox.set_mood(Mood::Well);
        (0..3).for_each(|slot| self.want(slot, Desired::Running));
        let end = self.clock.truth() + PATIENCE;
        let mut looked_at = self.clock.truth();
        for _ in 0..STEPS {
            self.scan();
            if let Some(&ready) = self.ready().first() {
                self.go_on(ready);
                continue;
            }
            let truth = self.clock.truth();
            if truth >= looked_at {
                if self.live_rows() == 0 && !self.has_jobs() {
                    return;
                }
                looked_at = truth + 30_000;
            }
            assert!(truth < end, "messages are stuck: {:?}", self.stuck());
            let next = self.next_event().expect("rounds go on");
            self.pass(next.saturating_sub(truth).max(1));
        }
        panic!("the world does not come to rest: {:?}", self.stuck());
    }

    fn stuck(&self) -> Vec<String> {
        let live = self.rows().into_iter().filter(|row| row.status.is_live());
        let rows = live.map(|row| format!("{} {} on {}", row.id, row.status, row.session));
        let states = (0..3).map(|slot| format!("session {slot} is {:?}", self.state(slot)));
        rows.chain(states).chain(self.jobs.iter().map(|job| format!("{:?}", job.what))).collect()
    }

    /// What happened, by the true clock where there is a choice.
    pub fn history(&self) -> History {
        let mut history = History { has_journal: true, has_rows: true, ..History::default() };
        history.refusing = [REFUSING, LOCKING].map(|number| Chat::stored(number.to_owned())).into();
        history.frames = self.network.frames.clone();
        history.caps = self.caps.clone();
        history.accepted = self.accepted.clone();
        history.as_of = Some(dated(self.clock.truth()));
        let log = self.outbox.log.lock().unwrap();
        // A claim whose answer was lost sent nothing, and its owner could not know that it is in the log.
        history.attempts = log
            .iter()
            .filter(|logged| logged.heard)
            .zip(1..)
            .map(|(logged, ord)| AttemptLine {
                ord,
                message: logged.message,
                number: logged.number,
                session: logged.lease.session,
                tenant: logged.lease.tenant,
                epoch: logged.lease.epoch,
                boot: Uuid::from_u128(logged.at.boot.0),
                moment: logged.at.now.0,
                wall: dated(self.clock.truth_of(logged.at)),
            })
            .collect();
        let rows = self.rows();
        for slot in &self.slots {
            let row = now(self.stores.sessions.find(SystemScope, slot.id)).unwrap().expect("it exists");
            let owner = now(self.outbox.recall(slot.id, self.clock.read())).unwrap().lease.epoch;
            history.sessions.push(SessionLine {
                id: slot.id,
                tenant: slot.tenant,
                epoch: owner,
                status: row.status,
                since: row.since,
                deleted: false,
            });
        }
        for &tenant in &self.tenants {
            // All in one month: worlds last for hours, in the middle of one.
            let period = columba::billing::period::month_of(self.clock.wall(), Tz::UTC);
            let usage = now(self.stores.messages.usage(TenantScope::authenticated(tenant), period)).unwrap();
            let (used, held) = usage.map_or((0, 0), |usage| (usage.used, usage.held));
            history.usage.push(UsageLine { tenant, period: period.start, used, held });
        }
        history.messages = rows.into_iter().map(|row| self.line(row)).collect();
        history
    }

    /// A row as the judge reads it. The ports do not show what became of its place in the month, so that is what it has
    /// to be; the books of the month are the store's own.
    fn line(&self, row: Message) -> MessageLine {
        let asked = self.asked.iter().find(|asked| asked.message == row.id).expect("somebody asked");
        let time = |status: MessageStatus| row.times.get(<&str>::from(status)).copied();
        let charge = match (asked.metered, time(MessageStatus::Sent), row.status) {
            (false, ..) => Charge::None,
            (true, Some(_), _) => Charge::Charged,
            (true, None, MessageStatus::Unknown) => Charge::Held,
            (true, None, status) if status.is_live() => Charge::Held,
            (true, None, _) => Charge::Released,
        };
        MessageLine {
            // Ids are minted in the order of acceptance.
            ord: row.id.uuid().as_u128() as i64,
            id: row.id,
            tenant: row.tenant,
            session: row.session,
            direction: row.direction,
            chat: row.chat.clone(),
            wa_id: row.wa_id.clone(),
            status: row.status,
            attempts: row.attempts,
            delivery: row.delivery,
            charge,
            period: Some(asked.request.terms.period.start),
            send_at: row.send_at,
            not_before: None,
            expires_at: row.expires_at,
            queued_at: time(MessageStatus::Queued),
            attempted_at: None,
            sent_at: time(MessageStatus::Sent),
            received_at: None,
        }
    }

    /// Judges the world; how much was looked at.
    pub fn judge(&self) -> Counts {
        let history = self.history();
        let slack = Duration::from_millis(self.clock.wall_off_most());
        let verdict = check(&history, Terms { slack });
        let shown: Vec<_> = verdict.violations.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
        // By the wall that the claims themselves were decided on, however often it was set.
        for logged in self.outbox.log.lock().unwrap().iter() {
            let row = history.messages.iter().find(|row| row.id == logged.message).expect("a row");
            assert!(row.expires_at > Some(logged.at.wall), "{} was claimed after its end", row.id);
        }
        verdict.counts
    }
}
