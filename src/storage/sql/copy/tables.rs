//! Every table of the schema, column by column. Both dialects have the same ones; `tests/it/storage/sql/copy.rs` reads
//! the schemas of both and fails when one is missing here.

/// What a column holds, and with that how it is spelt in each dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A uuid: 16 bytes in SQLite.
    Id,
    /// Bytes.
    Bytes,
    /// A whole number.
    Number,
    /// Yes or no: 1 or 0 in SQLite.
    Flag,
    /// Text, JSON included.
    Text,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, the same in both dialects.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns. The first are its key, which also orders it.
    pub columns: &'static [Column],
    /// How many columns its key has.
    pub key: usize,
    /// Whether a schema without data has rows of it, which a copy replaces.
    pub seeded: bool,
}

/// What only one dialect has, with how it comes about there: the steps taken are taken, not copied, and the highest
/// place in the order of acceptance is carried over by itself.
pub const NOT_COPIED: &[&str] = &["seaql_migrations", "message_place", "sqlite_sequence"];

macro_rules! tables {
    ($($(#[$seeded:ident])? $name:ident [$($key:ident: $key_kind:ident),*] $($column:ident: $kind:ident),*;)*) => {
        &[$(Table {
            name: stringify!($name),
            key: [$(stringify!($key)),*].len(),
            columns: &[
                $(Column { name: stringify!($key), kind: Kind::$key_kind },)*
                $(Column { name: stringify!($column), kind: Kind::$kind },)*
            ],
            seeded: tables!(@seeded $($seeded)?),
        }),*]
    };
    (@seeded seeded) => { true };
    (@seeded) => { false };
}

/// Those that are copied, in an order in which each row finds what it refers to.
pub const TABLES: &[Table] = tables! {
    #[seeded] store_meta [name: Text] value: Text;
    tenant [id: Id] name: Text, plan: Text, status: Text, created_at: Number, deleted_at: Number,
        standing: Text;
    plan [code: Text, version: Number] body: Text, created_at: Number;
    api_key [id: Id] tenant_id: Id, name: Text, hash: Bytes, last4: Text, scopes: Text, test: Flag,
        created_at: Number, expires_at: Number, revoked_at: Number, allowed_addresses: Text, replaced_by: Id,
        last_used_at: Number;
    operator [id: Id] name: Text, hash: Bytes, role: Text, created_at: Number, expires_at: Number,
        revoked_at: Number, email: Text;
    person [operator_id: Id] invitation: Bytes, body: Text;
    sign_in [id: Id] operator_id: Id, hash: Bytes, created_at: Number, seen_at: Number, stepped_up_at: Number,
        address: Text, agent: Text;
    session [id: Id] tenant_id: Id, label: Text, engine: Text, metadata: Text, epoch: Number, desired: Text,
        status: Text, reason: Text, reason_code: Number, since: Number, paired: Flag, failures: Number,
        retry_at: Number, retry_reason: Text, throttle_steps: Number, banned_until: Number,
        timelock_until: Number, replaced_at: Number, starting_at: Number, unclean_deaths: Number,
        probes: Number, created_at: Number, deleted_at: Number, paired_at: Number,
        new_chats_until: Number, proxy: Bytes;
    session_tally [session_id: Id] tenant_id: Id, live: Number, sent: Number, failed: Number, received: Number,
        reconnects: Number, day: Number, day_sent: Number, day_failed: Number, day_received: Number;
    session_past [ord: Number] session_id: Id, tenant_id: Id, was: Text, status: Text, reason: Text, reason_code: Number,
        at: Number;
    chat [session_id: Id, phone: Text] tenant_id: Id, first_at: Number;
    approach [session_id: Id, phone: Text] tenant_id: Id, at: Number;
    contact [tenant_id: Id, phone: Text] stop_id: Id, stopped_at: Number, stopped_by: Text, account: Flag, checked_at: Number;
    message [ord: Number] id: Id, tenant_id: Id, session_id: Id, direction: Text, chat: Text, content: Text,
        status: Text, reason: Text, wa_id: Text, category: Text, delivery: Text, reply_to: Id, client_ref: Text,
        send_at: Number, not_before: Number, expires_at: Number, attempts: Number, epoch: Number,
        attempted_at: Number, charge: Text, period_start: Number, queued_at: Number, held_at: Number,
        sending_at: Number, sent_at: Number, delivered_at: Number, read_at: Number, failed_at: Number,
        unknown_at: Number, expired_at: Number, canceled_at: Number, dead_at: Number, received_at: Number, author: Text,
        quoted: Text;
    media [id: Id] tenant_id: Id, session_id: Id, direction: Text, mime: Text, size: Number, sha256: Bytes,
        file_name: Text, state: Text, handle: Bytes, created_at: Number, kept_from: Number, deleted_at: Number;
    send_attempt [ord: Number] message_id: Id, number: Number, session_id: Id, tenant_id: Id, epoch: Number,
        boot_id: Id, moment: Number, wall: Number;
    usage [tenant_id: Id, period_start: Number] period_end: Number, allowance: Number, quota: Text, used: Number,
        held: Number, announced: Number, billed: Number;
    usage_day [session_id: Id, day: Number] tenant_id: Id, sent: Number, failed: Number, received: Number;
    subscription [tenant_id: Id] status: Text, body: Text, wakes_at: Number;
    billing_profile [tenant_id: Id] body: Text;
    invoice [id: Id] tenant_id: Id, number: Text, paper: Text, status: Text, account: Text, settled_at: Number;
    credit_note [id: Id] tenant_id: Id, invoice_id: Id, number: Text, paper: Text;
    ledger_entry [ord: Number] tenant_id: Id, kind: Text, amount_minor: Number, currency: Text, invoice_id: Id,
        reference: Text, at: Number;
    payment [provider: Text, id: Text] tenant_id: Id, invoice_id: Id, at: Number;
    number_series [series: Text] next: Number;
    idempotency [ord: Number] owner: Id, key: Text, fingerprint: Bytes, kind: Text, subject: Text,
        created_at: Number;
    feed_head [tenant_id: Id] seq: Number;
    event [ord: Number] tenant_id: Id, seq: Number, at: Number, session_id: Id, kind: Text, message_id: Id,
        code: Text, webhook_id: Id;
    webhook [id: Id] tenant_id: Id, url: Text, description: Text, events: Text, sessions: Text, sealed: Bytes,
        status: Text, reason: Text, since: Number, failures: Number, failing_since: Number, open_until: Number,
        trips: Number, revision: Number, created_at: Number, deleted_at: Number;
    webhook_event [ord: Number] id: Id, tenant_id: Id, seq: Number, at: Number, kind: Text, session_id: Id,
        message_id: Id, webhook_id: Id, snapshot: Text;
    webhook_delivery [ord: Number] id: Id, tenant_id: Id, webhook_id: Id, event_id: Id, kind: Text,
        event_at: Number, status: Text, reason: Text, attempts: Number, due_at: Number, created_at: Number,
        settled_at: Number, repeats: Id;
    webhook_attempt [ord: Number] delivery_id: Id, tenant_id: Id, number: Number, at: Number,
        duration_ms: Number, url: Text, status: Number, error: Text, body: Text;
    audit [seq: Number] at: Number, actor_id: Text, actor_name: Text, action: Text, subject_kind: Text,
        subject_id: Text, before_json: Text, after_json: Text, address: Text, request_id: Text, hash: Bytes,
        tenant_id: Id;
};

impl Table {
    /// Its columns by name, with commas.
    pub(in crate::storage::sql) fn columns(&self) -> String {
        names(self.columns)
    }

    /// Its key's columns.
    pub(in crate::storage::sql) fn key(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    /// Those by name, with commas.
    pub(in crate::storage::sql) fn keys(&self) -> String {
        names(self.key())
    }

    /// Whether its key is a place in an order that goes on behind the highest.
    pub(in crate::storage::sql) fn is_numbered(&self) -> bool {
        self.key().iter().any(|column| column.name == "ord")
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}
