//! What people sign in with, and where they are signed in.

use async_trait::async_trait;

use super::MemoryStore;
use super::state::State;
use crate::domain::audit::Actor;
use crate::domain::id::{OperatorId, SignInId};
use crate::domain::operator::TokenHash;
use crate::domain::person::SignIn;
use crate::domain::refusal::Refusal;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::ports::people::{Known, People, Rule, Whom};
use crate::ports::store::{StoreError, WriteError};

impl State {
    /// A person who may sign in.
    fn known(&self, id: OperatorId) -> Option<Known> {
        let account = self.operators.get(&id).filter(|operator| operator.revoked_at.is_none())?.clone();
        let person = self.people.get(&id)?.clone();
        let own = self.sign_ins.values().filter(|one| one.operator == id);
        Some(Known { account, person, sign_ins: own.cloned().collect() })
    }
}

#[async_trait]
impl People for MemoryStore {
    async fn is_empty(&self, _: SystemScope) -> Result<bool, StoreError> {
        let state = self.read();
        Ok(!state.people.keys().any(|&id| state.known(id).is_some()))
    }

    async fn find(&self, _: SystemScope, whom: Whom) -> Result<Option<Known>, StoreError> {
        let state = self.read();
        let id = match whom {
            Whom::Operator(id) => Some(id),
            Whom::Email(email) => {
                let is_theirs = |known: &&crate::domain::operator::OperatorAccount| {
                    known.revoked_at.is_none() && known.email.as_ref() == Some(&email)
                };
                state.operators.values().find(is_theirs).map(|known| known.id)
            }
            Whom::Invitation(hash) => {
                let invited = state.people.values().find(|person| {
                    person.invitation.as_ref().is_some_and(|invitation| invitation.hash == hash)
                });
                invited.map(|person| person.id)
            }
        };
        Ok(id.and_then(|id| state.known(id)))
    }

    async fn sign_in(&self, _: SystemScope, hash: TokenHash) -> Result<Option<SignIn>, StoreError> {
        Ok(self.read().sign_ins.values().find(|one| one.hash == hash).cloned())
    }

    async fn seen(&self, _: SystemScope, id: SignInId, at: WallTime) -> Result<(), StoreError> {
        self.write(|state| {
            if let Some(one) = state.sign_ins.get_mut(&id) {
                one.seen_at = one.seen_at.max(at);
            }
            Ok(())
        })
    }

    async fn decide(&self, by: Actor, id: OperatorId, rule: Rule, at: WallTime) -> Result<(), WriteError> {
        self.write(|state| {
            let known = state.known(id).ok_or_else(Refusal::not_found)?;
            let outcome = rule(&known)?;
            if let Some(person) = outcome.person {
                state.people.insert(id, person);
            }
            for ended in outcome.ends {
                state.sign_ins.retain(|_, one| one.id != ended || one.operator != id);
            }
            if let Some(opened) = outcome.opens {
                state.sign_ins.insert(opened.id, opened);
            }
            let stepped = outcome.steps_up.and_then(|stepped| state.sign_ins.get_mut(&stepped));
            if let Some(one) = stepped.filter(|one| one.operator == id) {
                (one.stepped_up_at, one.seen_at) = (at, at);
            }
            if let Some(act) = outcome.act {
                state.record(&by, act);
            }
            Ok(())
        })
    }
}
