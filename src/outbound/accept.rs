//! Stops 3 to 6: may this message be accepted, and if so, is it safe on disk before anybody hears yes.

use std::sync::Arc;

use super::reference;
use crate::billing::period::month_of;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::{Draft, Message, WaId};
use crate::domain::plan::Allowance;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::tenant::TenantStanding;
use crate::domain::time::WallTime;
use crate::failpoint::{self, Point};
use crate::ports::abilities::Abilities;
use crate::ports::clock::Clock;
use crate::ports::directory::Directory;
use crate::ports::messages::Messages;
use crate::ports::outbox::{Acceptance, Outbox, Terms};
use crate::ports::signals::Signals;
use crate::ports::store::{Created, StoreError, WriteError};
use chrono_tz::Tz;

/// Accepts messages. Cheap to clone.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is its port or is documented here")]
pub struct Accept {
    pub outbox: Arc<dyn Outbox>,
    pub messages: Arc<dyn Messages>,
    pub directory: Arc<dyn Directory>,
    pub signals: Arc<dyn Signals>,
    pub abilities: Arc<dyn Abilities>,
    pub clock: Arc<dyn Clock>,
    /// On whose clocks months begin.
    pub zone: Tz,
}

impl Accept {
    /// Accepts one message, or says the first refusal in the order of API.md.
    ///
    /// `draft` is what stop 1 made of the request: a draft, or the 422 it earned. That refusal is said only after
    /// those that stand before it: 403, 404, the stored answer of a replay, 409. `metered`: whether it counts to usage.
    pub async fn accept(
        &self,
        scope: TenantScope,
        session: SessionId,
        metered: bool,
        draft: Result<Draft, Refusal>,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Message>, WriteError> {
        let at = self.clock.wall();
        let terms = self.terms(scope, metered, at)?;
        let draft = draft.and_then(|draft| self.sendable(session, draft));
        let draft = match draft {
            Ok(draft) if reference::names_something(&draft) => {
                reference::check(&*self.messages, scope, session, draft, at).await?
            }
            draft => draft,
        };
        let draft = match draft {
            Ok(draft) => draft,
            Err(refusal) => {
                let stored = self.outbox.foresee(scope.tenant(), session, idempotency, at).await?;
                return stored.map(Created::Replayed).ok_or(WriteError::Refused(refusal));
            }
        };
        let acceptance = Acceptance {
            tenant: scope.tenant(),
            session,
            id: MessageId::mint(at),
            wa_id: WaId::mint(at, rand::random()),
            draft,
            terms,
            idempotency,
            at,
        };
        failpoint::hit(Point::AcceptBefore).await?;
        let created = self.outbox.accept(acceptance).await?;
        failpoint::hit(Point::AcceptAfter).await?;
        if !created.is_replayed() {
            self.signals.wake(session);
        }
        Ok(created)
    }

    /// A kind that the session's engine has said it cannot send would only fail later. Of what it has not said, that is seen then.
    fn sendable(&self, session: SessionId, draft: Draft) -> Result<Draft, Refusal> {
        match self.abilities.sends(session, &draft) {
            Some(false) => {
                let answers = if draft.reply_to.is_some() { ", or no answers that quote" } else { "" };
                let kind = draft.content.kind();
                Err(Refusal::unsupported(format!("the session's engine sends no {kind}{answers}")))
            }
            Some(true) | None => Ok(draft),
        }
    }

    /// What binds a message of this tenant now.
    fn terms(&self, scope: TenantScope, metered: bool, at: WallTime) -> Result<Terms, WriteError> {
        let snapshot = self.directory.snapshot();
        // Authentication found the tenant a moment ago, so this is a hole in the data, not a caller's mistake.
        let plan = snapshot
            .plan_of(scope.tenant())
            .ok_or_else(|| StoreError::Unavailable("the tenant's plan is missing".to_owned()))?;
        let caps = snapshot.caps_of(scope.tenant()).unwrap_or_else(|| plan.caps());
        if caps.silent {
            return Err(Refusal::payment_due().into());
        }
        Ok(Terms {
            period: month_of(at, self.zone),
            allowance: Allowance { limit: plan.messages_per_month, quota: plan.quota },
            caps,
            metered,
            strict: snapshot.standing_of(scope.tenant()) == TenantStanding::Grace,
        })
    }
}
