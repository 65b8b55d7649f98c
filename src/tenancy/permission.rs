//! Which role may do what: one table, which every operation of operators goes by.

use crate::domain::operator::Role;
use crate::domain::refusal::Refusal;
use crate::domain::word::words;

words! {
    /// What an operation of operators needs.
    pub enum Permission {
        /// Reading, without the content of messages.
        Read,
        /// Acting on sessions: start, stop, restart, pair, send a test, send again, empty a queue.
        RunSessions,
        /// Reading the content of a tenant's messages, for a reason that is written down.
        Look,
        /// Tenants: made, changed, suspended, removed; their sessions and endpoints too.
        ManageTenants,
        /// Keys of tenants.
        ManageKeys,
        /// What tenants can buy.
        ManagePlans,
        /// Subscriptions, invoices and the ledger.
        ManageMoney,
        /// Operators.
        ManageOperators,
        /// The server itself: what it logs, its backups.
        ManageSystem,
    }
}

impl Permission {
    /// Who has it.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Read => &[Role::Owner, Role::Admin, Role::Support, Role::Viewer],
            Self::RunSessions | Self::Look => &[Role::Owner, Role::Admin, Role::Support],
            Self::ManageTenants | Self::ManageKeys | Self::ManagePlans | Self::ManageMoney => {
                &[Role::Owner, Role::Admin]
            }
            Self::ManageOperators | Self::ManageSystem => &[Role::Owner],
        }
    }

    /// The least of the roles that have it.
    pub fn least(self) -> Role {
        self.roles().last().copied().unwrap_or(Role::Owner)
    }
}

impl Role {
    /// Whether the role has a permission.
    pub fn may(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }

    /// 403, with the role it takes, unless the role has the permission.
    pub fn require(self, permission: Permission) -> Result<(), Refusal> {
        if self.may(permission) {
            return Ok(());
        }
        let least = permission.least();
        let or_more = if least == Role::Owner { "" } else { " or a higher one" };
        Err(Refusal::forbidden(format!("this takes the role {least}{or_more}, and this operator is {self}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator as _;

    #[test]
    fn each_role_may_what_the_next_lower_one_may_and_only_an_owner_everything() {
        let roles: Vec<Role> = Role::iter().collect();
        for pair in roles.windows(2) {
            let lost: Vec<Permission> =
                Permission::iter().filter(|&p| pair[1].may(p) && !pair[0].may(p)).collect();
            assert!(lost.is_empty(), "{:?} may {lost:?} and {:?} may not", pair[1], pair[0]);
        }
        assert!(Permission::iter().all(|permission| Role::Owner.may(permission)));
        let of_viewer: Vec<_> =
            Permission::iter().filter(|&permission| Role::Viewer.may(permission)).collect();
        assert_eq!(of_viewer, [Permission::Read]);
    }

    #[test]
    fn a_refusal_names_the_role_it_takes() {
        for (role, permission, names) in [
            (Role::Viewer, Permission::RunSessions, "role support or a higher one"),
            (Role::Support, Permission::ManageMoney, "role admin or a higher one"),
            (Role::Admin, Permission::ManageOperators, "role owner, and"),
        ] {
            let refusal = role.require(permission).expect_err("not theirs");
            assert!(refusal.status == 403 && refusal.detail.contains(names), "{}", refusal.detail);
            assert!(refusal.detail.ends_with(&role.to_string()), "{}", refusal.detail);
        }
    }
}
