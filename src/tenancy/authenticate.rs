//! Whose request is it? Pure: the directory as it stands and what the caller shows; a principal or a refusal.

use subtle::ConstantTimeEq as _;

use super::keys::KeyText;
use crate::domain::id::KeyId;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::session::Engine;
use crate::domain::tenant::{KeyScope, TenantStatus};
use crate::domain::time::WallTime;
use crate::ports::directory::Snapshot;

/// Who asks, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// On whose behalf stores are asked.
    pub scope: TenantScope,
    /// With which key.
    pub key: KeyId,
    /// What the key may be used for.
    pub scopes: Vec<KeyScope>,
    /// Whether it is a test key: it reaches the sandbox only, and does not count to usage.
    pub test: bool,
}

impl Principal {
    /// 403 unless the key may be used for `needs`.
    pub fn require(&self, needs: KeyScope) -> Result<(), Refusal> {
        if self.scopes.contains(&needs) {
            return Ok(());
        }
        Err(Refusal::forbidden(format!("this key lacks the scope {needs}; use one that has it")))
    }

    /// 403 when it is a test key and `engine` reaches real people.
    pub fn reach(&self, engine: Engine) -> Result<(), Refusal> {
        // Without a wildcard, so that whoever adds an engine has to decide here.
        let real = match engine {
            Engine::Sandbox => false,
        };
        if self.test && real {
            return Err(Refusal::forbidden("a test key reaches the engine sandbox only"));
        }
        Ok(())
    }
}

/// 401 for text that is no key, an unknown, revoked or expired one; 403 when the operator has suspended its tenant.
pub fn authenticate(snapshot: &Snapshot, presented: &str, now: WallTime) -> Result<Principal, Refusal> {
    let unknown = || Refusal::unauthorized("no such key: it was never made here, or it has been revoked");
    let hash = KeyText::parse(presented).map_err(|_| unknown())?.hash();
    let key = snapshot.keys.get(&hash).ok_or_else(unknown)?;
    // The table compares hashes as fast as they differ, which tells nothing about a key; this comparison is the one
    // that lets somebody in.
    if !bool::from(key.hash.0.ct_eq(&hash.0)) || key.revoked_at.is_some_and(|at| at <= now) {
        return Err(unknown());
    }
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(Refusal::unauthorized("this key has expired; ask the operator for a new one"));
    }
    let tenant = snapshot.tenants.get(&key.tenant).ok_or_else(unknown)?;
    match tenant.status {
        TenantStatus::Suspended => Err(Refusal::tenant_suspended()),
        TenantStatus::Active => Ok(Principal {
            scope: TenantScope::authenticated(tenant.id),
            key: key.id,
            scopes: key.scopes.clone(),
            test: key.test,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TenantId;
    use crate::domain::refusal::Code;
    use crate::domain::tenant::{ApiKey, Tenant};
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    const NOW: WallTime = WallTime(1_795_000_000_000);

    /// A snapshot with one tenant and one key, and that key's text.
    fn world(change: impl FnOnce(&mut Tenant, &mut ApiKey)) -> (Snapshot, KeyText) {
        let text = KeyText::mint(false, &mut StdRng::seed_from_u64(3));
        let mut tenant = Tenant {
            id: TenantId::mint(NOW),
            name: "Acme".into(),
            plan: "starter".into(),
            status: TenantStatus::Active,
            created_at: NOW,
        };
        let mut key = ApiKey {
            id: KeyId::mint(NOW),
            tenant: tenant.id,
            name: "ci".into(),
            hash: text.hash(),
            last4: text.last4(),
            scopes: vec![KeyScope::Read],
            test: false,
            created_at: NOW,
            expires_at: None,
            revoked_at: None,
        };
        change(&mut tenant, &mut key);
        let snapshot = Snapshot {
            tenants: [(tenant.id, tenant)].into(),
            keys: [(text.hash(), key)].into(),
            ..Snapshot::default()
        };
        (snapshot, text)
    }

    fn code(snapshot: &Snapshot, presented: &str) -> Result<(), Code> {
        authenticate(snapshot, presented, NOW).map(|_| ()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn each_state_of_a_key_has_its_answer() {
        let (snapshot, key) = world(|_, _| ());
        assert_eq!(code(&snapshot, key.expose()), Ok(()));
        let other = KeyText::mint(false, &mut StdRng::seed_from_u64(4));
        for text in ["", "col_live_", "Bearer", other.expose(), &key.expose()[..46]] {
            assert_eq!(code(&snapshot, text), Err(Code::Unauthorized), "{text}");
        }
        let millis = |n| Some(WallTime(NOW.0 + n));
        for (expires_at, revoked_at, expected) in [
            (millis(1), None, Ok(())),
            (millis(0), None, Err(Code::Unauthorized)),
            (None, millis(0), Err(Code::Unauthorized)),
            (None, millis(-1), Err(Code::Unauthorized)),
        ] {
            let (snapshot, key) = world(|_, key| {
                key.expires_at = expires_at;
                key.revoked_at = revoked_at;
            });
            assert_eq!(code(&snapshot, key.expose()), expected, "{expires_at:?} {revoked_at:?}");
        }
    }

    #[test]
    fn a_suspended_tenant_hears_403_and_a_deleted_one_401() {
        let (snapshot, key) = world(|tenant, _| tenant.status = TenantStatus::Suspended);
        assert_eq!(code(&snapshot, key.expose()), Err(Code::TenantSuspended));
        let (mut snapshot, key) = world(|_, _| ());
        snapshot.tenants.clear();
        assert_eq!(code(&snapshot, key.expose()), Err(Code::Unauthorized));
    }

    #[test]
    fn a_key_may_do_what_it_was_made_for_and_no_more() {
        let (snapshot, key) = world(|_, _| ());
        let principal = authenticate(&snapshot, key.expose(), NOW).expect("a good key");
        assert_eq!(principal.require(KeyScope::Read), Ok(()));
        for needs in [KeyScope::Send, KeyScope::Session] {
            assert_eq!(principal.require(needs).expect_err("not in its scopes").code, Code::Forbidden);
        }
    }
}
