//! An operator on a tenant's behalf: what a call of the tenant's takes of them, and what they see. Without a look they act as
//! their role allows and see outlines; with one they read everything and do nothing.

use strum::IntoEnumIterator as _;

use super::authenticate::Principal;
use super::permission::Permission;
use crate::domain::id::TenantId;
use crate::domain::operator::Role;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::tenant::KeyScope;

/// What a call takes of an operator who makes it on a tenant's behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// What their role must allow.
    pub permission: Permission,
    /// Whether it does something.
    pub acts: bool,
    /// Whether it shows what the tenant's people wrote, and nothing that could be left out.
    pub content: bool,
}

/// The principal as whom an operator is let in; 403 when they are not.
pub fn stand_in(role: Role, tenant: TenantId, has_look: bool, needs: Needs) -> Result<Principal, Refusal> {
    role.require(needs.permission)?;
    if has_look && needs.acts {
        let detail = "a look only reads: leave the header Columba-Look out to act, or end the look";
        return Err(Refusal::forbidden(detail));
    }
    if needs.content && !has_look {
        return Err(Refusal::look_required());
    }
    let scope = TenantScope::authenticated(tenant);
    Ok(Principal { scope, key: None, scopes: KeyScope::iter().collect(), test: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Code;
    use crate::domain::time::WallTime;

    #[test]
    fn a_look_reads_everything_and_does_nothing_and_without_one_content_stays_closed() {
        let read = Needs { permission: Permission::Read, acts: false, content: false };
        let content = Needs { permission: Permission::Look, acts: false, content: true };
        let act = Needs { permission: Permission::RunSessions, acts: true, content: false };
        let manage = Needs { permission: Permission::ManageTenants, ..act };
        let (forbidden, look) = (Err(Code::Forbidden), Err(Code::LookRequired));
        for (role, has_look, expected) in [
            (Role::Viewer, false, [Ok(()), forbidden, forbidden, forbidden]),
            (Role::Support, false, [Ok(()), look, Ok(()), forbidden]),
            (Role::Support, true, [Ok(()), Ok(()), forbidden, forbidden]),
            (Role::Admin, false, [Ok(()), look, Ok(()), Ok(())]),
            (Role::Owner, true, [Ok(()), Ok(()), forbidden, forbidden]),
        ] {
            let tenant = TenantId::mint(WallTime(1));
            let judged = [read, content, act, manage].map(|needs| {
                let let_in = stand_in(role, tenant, has_look, needs);
                let_in.map(|principal| assert_eq!(principal.scope.tenant(), tenant)).map_err(|no| no.code)
            });
            assert_eq!(judged, expected, "{role}, look: {has_look}");
        }
    }
}
