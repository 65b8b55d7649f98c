//! Who may do what with a table on PostgreSQL: grants, and row-level security that binds the owner too.

use std::fmt::Write as _;

/// One table.
pub(crate) struct Fence {
    table: &'static str,
    /// The column that says whose a row is.
    tenant: Option<&'static str>,
    /// What the writer does with it.
    writer: &'static str,
}

impl Fence {
    /// A table of all tenants, which nobody reads in the name of one.
    pub(crate) const fn open(table: &'static str, writer: &'static str) -> Self {
        Self { table, tenant: None, writer }
    }

    /// A table whose rows belong to the tenant in this column.
    pub(crate) const fn by(table: &'static str, tenant: &'static str, writer: &'static str) -> Self {
        Self { table, tenant: Some(tenant), writer }
    }
}

/// The statements that put up these fences.
pub(crate) fn fenced(fences: &[Fence]) -> String {
    let mut text = String::new();
    for Fence { table, tenant, writer } in fences {
        let _ = write!(
            text,
            "GRANT {writer} ON {table} TO columba_writer;
             GRANT SELECT ON {table} TO columba_reader;"
        );
        if let Some(column) = tenant {
            let _ = write!(
                text,
                "GRANT SELECT ON {table} TO columba_tenant;
                 ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
                 CREATE POLICY writes ON {table} TO columba_writer USING (true) WITH CHECK (true);
                 CREATE POLICY reads ON {table} FOR SELECT TO columba_reader USING (true);
                 CREATE POLICY own ON {table} FOR SELECT TO columba_tenant
                     USING ({column} = nullif(current_setting('columba.tenant', true), '')::uuid);"
            );
        }
    }
    text
}
