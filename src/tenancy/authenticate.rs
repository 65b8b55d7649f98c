//! Whose request is it? Pure: the directory as it stands and what the caller shows; a principal or a refusal.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::keys::KeyText;
use super::operator::OperatorToken;
use crate::domain::id::{KeyId, OperatorId};
use crate::domain::operator::{ROOT, Role, TokenHash};
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
    /// With which key; `None` for an operator on the tenant's behalf.
    pub key: Option<KeyId>,
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

    /// The key; 403 for an operator on the tenant's behalf, whom no revoked key would stop.
    pub fn own_key(&self) -> Result<KeyId, Refusal> {
        let detail = "the feed takes a tenant's key or a ticket; on a tenant's behalf: POST /v1/feed/tickets";
        self.key.ok_or_else(|| Refusal::forbidden(detail))
    }

    /// 403 when it is a test key and `engine` reaches real people.
    pub fn reach(&self, engine: Engine) -> Result<(), Refusal> {
        // Without a wildcard, so that whoever adds an engine has to decide here.
        let real = match engine {
            Engine::Sandbox => false,
            Engine::Native | Engine::Baileys => true,
        };
        if self.test && real {
            return Err(Refusal::forbidden("a test key reaches the engine sandbox only"));
        }
        Ok(())
    }
}

/// 401 for text that is no key, an unknown, revoked or expired one; 403 when it may not be used from the address the
/// request came `from`, and when the operator has suspended its tenant.
pub fn authenticate(
    snapshot: &Snapshot,
    presented: &str,
    from: Option<IpAddr>,
    now: WallTime,
) -> Result<Principal, Refusal> {
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
    let allowed = &key.allowed_addresses;
    let is_allowed = |from: IpAddr| allowed.iter().any(|range| range.contains(from));
    if !allowed.is_empty() && !from.is_some_and(is_allowed) {
        // Says neither which key nor which addresses: whoever found the key learns nothing more about it.
        return Err(Refusal::forbidden("not allowed from the address this request came from"));
    }
    let tenant = snapshot.tenants.get(&key.tenant).ok_or_else(unknown)?;
    match tenant.status {
        TenantStatus::Suspended => Err(Refusal::tenant_suspended()),
        TenantStatus::Active => Ok(Principal {
            scope: TenantScope::authenticated(tenant.id),
            key: Some(key.id),
            scopes: key.scopes.clone(),
            test: key.test,
        }),
    }
}

/// Which operator acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorIdentity {
    /// [`OperatorId::ROOT`] for whoever has the token in the data directory.
    pub id: OperatorId,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Whose token was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// An operator's.
    Operator(OperatorIdentity),
    /// One that opens no more: expired or revoked. 401.
    Former(OperatorIdentity, Refusal),
    /// Nobody's. 401.
    Nobody(Refusal),
}

/// Finds out whose token `presented` is.
pub fn identify(snapshot: &Snapshot, root: &OperatorToken, presented: &str, now: WallTime) -> Identified {
    if root.is(presented) {
        let identity = OperatorIdentity { id: OperatorId::ROOT, name: ROOT.to_owned(), role: Role::Owner };
        return Identified::Operator(identity);
    }
    let nobody = || Identified::Nobody(Refusal::unauthorized("this is no operator's token"));
    let hash = TokenHash(Sha256::digest(presented.as_bytes()).into());
    let Some(known) = snapshot.operator_by(&hash) else { return nobody() };
    if !known.hash.is_some_and(|kept| kept.0.ct_eq(&hash.0).into()) {
        return nobody();
    }
    let identity = OperatorIdentity { id: known.id, name: known.name.clone(), role: known.role };
    if known.revoked_at.is_some_and(|at| at <= now) {
        return Identified::Former(identity, Refusal::unauthorized("this operator's token has been revoked"));
    }
    if known.expires_at.is_some_and(|end| end <= now) {
        let refusal =
            Refusal::unauthorized("this operator's token has expired; ask another operator for a new one");
        return Identified::Former(identity, refusal);
    }
    Identified::Operator(identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::TenantId;
    use crate::domain::operator::OperatorAccount;
    use crate::domain::refusal::Code;
    use crate::domain::tenant::{ApiKey, Tenant, TenantStanding};
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
            standing: TenantStanding::Active,
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
            allowed_addresses: vec![],
            created_at: NOW,
            expires_at: None,
            revoked_at: None,
            replaced_by: None,
            last_used_at: None,
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
        authenticate(snapshot, presented, None, NOW).map(|_| ()).map_err(|refusal| refusal.code)
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
    fn a_key_with_a_list_of_addresses_opens_from_those_only_and_tells_nothing_about_them() {
        let ranges = ["192.0.2.0/24", "2001:db8::/32"].map(|text| text.parse().expect("a range"));
        let (snapshot, key) = world(|tenant, key| {
            key.allowed_addresses = ranges.to_vec();
            tenant.status = TenantStatus::Suspended;
        });
        for (from, is_allowed) in [
            (Some("192.0.2.9"), true),
            (Some("::ffff:192.0.2.9"), true),
            (Some("2001:db8:1::9"), true),
            (Some("192.0.3.9"), false),
            (Some("2001:db9::9"), false),
            (None, false),
        ] {
            let address = from.map(|text| text.parse().expect("an address"));
            let refusal = authenticate(&snapshot, key.expose(), address, NOW).expect_err("suspended");
            let expected = if is_allowed { Code::TenantSuspended } else { Code::Forbidden };
            assert_eq!((refusal.code, refusal.status), (expected, 403), "{from:?}");
            for told in ["192.0.2", "2001", "key_", "ci"] {
                assert!(is_allowed || !refusal.detail.contains(told), "{}", refusal.detail);
            }
        }
    }

    #[test]
    fn each_state_of_an_operator_has_its_answer() {
        let root = OperatorToken::mint(&mut StdRng::seed_from_u64(5));
        let token = OperatorToken::mint(&mut StdRng::seed_from_u64(6));
        let millis = |n| Some(WallTime(NOW.0 + n));
        for (expires_at, revoked_at, opens) in
            [(None, None, true), (millis(1), None, true), (millis(0), None, false), (None, millis(0), false)]
        {
            let account = OperatorAccount {
                id: OperatorId::mint(NOW),
                name: "eve".into(),
                hash: Some(token.hash()),
                role: Role::Viewer,
                email: None,
                created_at: NOW,
                expires_at,
                revoked_at,
            };
            let expected = OperatorIdentity { id: account.id, name: "eve".into(), role: Role::Viewer };
            let mut snapshot = Snapshot::default();
            snapshot.admit(account);
            match identify(&snapshot, &root, token.expose(), NOW) {
                Identified::Operator(identity) => assert!(opens && identity == expected),
                Identified::Former(identity, refusal) => {
                    assert!(!opens && identity == expected && refusal.status == 401);
                }
                Identified::Nobody(refusal) => unreachable!("{refusal}"),
            }
            let Identified::Operator(owner) = identify(&snapshot, &root, root.expose(), NOW) else {
                unreachable!("root always opens");
            };
            assert_eq!((owner.id, &*owner.name, owner.role), (OperatorId::ROOT, "root", Role::Owner));
            for wrong in ["", "col_op_", &root.expose()[..20], &format!("{}x", token.expose())] {
                assert!(matches!(identify(&snapshot, &root, wrong, NOW), Identified::Nobody(_)));
            }
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
        let principal = authenticate(&snapshot, key.expose(), None, NOW).expect("a good key");
        assert_eq!(principal.require(KeyScope::Read), Ok(()));
        for needs in [KeyScope::Send, KeyScope::Session] {
            assert_eq!(principal.require(needs).expect_err("not in its scopes").code, Code::Forbidden);
        }
    }
}
