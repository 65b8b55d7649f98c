//! PostgreSQL.
//!
//! A batch is one statement: its parts are common table expressions that all see the database as it was before, and all
//! become true at once. So it needs no BEGIN and no COMMIT, and is one round trip.
//!
//! `jsonb_to_recordset` gives every column of a row its type; an id is read from its hex digits.

mod connection;

use std::sync::LazyLock;

use uuid::Uuid;

pub(in crate::storage::sql) use connection::{
    BATCH_PATIENCE, ERRANDS_PATIENCE, TAKEN, WRITER_LOCK, fault, open_alone, open_owner, open_readers,
    open_witness, open_writer,
};

/// What turns a transaction of a reader into one of a tenant's.
pub(super) fn in_the_name_of(tenant: Uuid) -> String {
    format!("SET LOCAL ROLE columba_tenant; SET LOCAL columba.tenant = '{tenant}'")
}

/// The statements of a batch without webhooks, and those of one with.
static BATCH: LazyLock<[String; 2]> = LazyLock::new(|| {
    let joined = |statements: &[&str]| {
        let mut text = String::from("WITH ");
        for (statement, number) in statements.iter().zip(1..) {
            let statement = statement.replace("$1", &format!("${number}"));
            text += &format!("part{number} AS ({statement}),");
        }
        text + KEEP_PLACE
    };
    let all = [&STATEMENTS[..], &WEBHOOK_STATEMENTS[..]].concat();
    [joined(&STATEMENTS), joined(&all)]
});

/// All of a batch in one statement.
pub(super) fn batch(with_webhooks: bool) -> &'static str {
    let [plain, all] = &*BATCH;
    if with_webhooks { all } else { plain }
}

/// The statements of a batch in their order; each takes its own JSON array.
const STATEMENTS: [&str; super::ROWS] = [
    INSERT_ACCEPTED,
    INSERT_MESSAGES,
    UPDATE_MESSAGES,
    INSERT_ATTEMPTS,
    UPDATE_SESSIONS,
    UPDATE_TALLIES,
    PUT_DAYS,
    PUT_USAGE,
    PUT_REMEMBERED,
    INSERT_MET,
    INSERT_APPROACHES,
    PUT_CONTACTS,
    PUT_HEADS,
    INSERT_EVENTS,
];

/// Behind the statements of a batch; the rows that `posting` makes for them.
const WEBHOOK_STATEMENTS: [&str; 5] =
    [INSERT_WEBHOOK_EVENTS, INSERT_DELIVERIES, INSERT_ATTEMPTS_AT_WEBHOOKS, UPDATE_HEALTH, UPDATE_DELIVERIES];

/// The end of a batch: the place of its last new message.
const KEEP_PLACE: &str = "
    placed AS (SELECT max(ord) AS ord FROM (SELECT ord FROM part1 UNION ALL SELECT ord FROM part2) AS placed)
    UPDATE message_place SET last = placed.ord FROM placed WHERE placed.ord > message_place.last";

// What a batch reads.

pub(super) const REMEMBERED: &str = "
    SELECT r.owner, r.key, r.fingerprint, r.kind, r.subject, r.created_at
    FROM jsonb_to_recordset($1::jsonb) AS w(owner uuid, key text)
    JOIN idempotency AS r ON r.owner = w.owner AND r.key = w.key";

pub(super) const MESSAGES: &str = "
    SELECT m.* FROM jsonb_array_elements_text($1::jsonb) AS w(id) JOIN message AS m ON m.id = w.id::uuid";

pub(super) const MESSAGES_BY_WA: &str = "
    SELECT m.* FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, wa_id text)
    JOIN message AS m ON m.wa_id = w.wa_id AND m.session_id = w.session AND m.direction = 'out'";

pub(super) const HEARD: &str = "
    SELECT m.session_id, m.chat, m.author, m.wa_id
    FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, wa_id text, chat text)
    JOIN message AS m ON m.session_id = w.session AND m.chat = w.chat AND m.wa_id = w.wa_id
        AND m.direction <> 'out'";

pub(super) const REFERRED: &str = "
    SELECT m.session_id, m.chat, m.wa_id, m.id
    FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, wa_id text, chat text)
    JOIN message AS m ON m.wa_id = w.wa_id AND m.session_id = w.session AND m.chat = w.chat
        AND m.direction = 'out'
    UNION ALL
    SELECT m.session_id, m.chat, m.wa_id, m.id
    FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, wa_id text, chat text)
    JOIN message AS m ON m.session_id = w.session AND m.chat = w.chat AND m.wa_id = w.wa_id
        AND m.direction <> 'out'";

pub(super) const HELD_IN: &str = "
    SELECT m.* FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, chat text)
    JOIN message AS m ON m.session_id = w.session AND m.status IN ('queued', 'held', 'sending')
        AND m.status = 'held' AND m.chat = w.chat";

pub(super) const NEIGHBOURS: &str = "
    WITH asked AS MATERIALIZED (
        SELECT m.ord, m.session_id, m.chat FROM jsonb_array_elements_text($1::jsonb) AS w(id)
        JOIN message AS m ON m.id = w.id::uuid)
    SELECT n.* FROM asked AS m CROSS JOIN LATERAL (
        SELECT e.* FROM message AS e
        WHERE e.session_id = m.session_id AND e.status IN ('queued', 'held', 'sending')
            AND e.ord < m.ord AND e.chat = m.chat
            AND (e.status = 'sending'
                OR (e.send_at IS NULL OR e.send_at <= $2) AND (e.expires_at IS NULL OR e.expires_at > $2))
        ORDER BY e.ord LIMIT $3) AS n
    UNION
    SELECT n.* FROM asked AS m
    JOIN message AS n ON n.session_id = m.session_id AND n.status = 'sending' AND n.chat = m.chat";

pub(super) const MET: &str = "
    SELECT m.session_id, m.chat FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN message AS m ON m.id = w.id::uuid
    JOIN chat AS c ON c.session_id = m.session_id AND c.phone = m.chat";

pub(super) const ACQUAINTED: &str = "
    SELECT w.id::uuid FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    WHERE EXISTS (SELECT 1 FROM contact AS c WHERE c.tenant_id = w.id::uuid)";

pub(super) const CONTACTS: &str = "
    SELECT c.* FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, phone text)
    JOIN contact AS c ON c.tenant_id = w.tenant AND c.phone = w.phone";

pub(super) const APPROACHED: &str = "
    SELECT m.session_id, m.chat, a.at FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN message AS m ON m.id = w.id::uuid
    JOIN approach AS a ON a.session_id = m.session_id AND a.phone = m.chat";

pub(super) const APPROACHES: &str = "
    SELECT a.session_id, a.phone, a.at FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN approach AS a ON a.session_id = w.id::uuid AND a.at > $2";

pub(super) const WAITING_FOR: &str = "
    SELECT m.* FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, phone text)
    JOIN session AS s ON s.tenant_id = w.tenant
    JOIN message AS m ON m.session_id = s.id AND m.status IN ('queued', 'held', 'sending')
        AND m.status <> 'sending' AND m.chat = w.phone";

pub(super) const SESSIONS: &str = "
    SELECT s.*, t.live, t.sent, t.failed, t.received, t.reconnects, t.day, t.day_sent, t.day_failed,
        t.day_received
    FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN session AS s ON s.id = w.id::uuid
    JOIN session_tally AS t ON t.session_id = s.id";

pub(super) const USAGE: &str = "
    SELECT u.* FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, period bigint)
    JOIN usage AS u ON u.tenant_id = w.tenant AND u.period_start = w.period";

pub(super) const HEADS: &str = "
    SELECT h.tenant_id, h.seq FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN feed_head AS h ON h.tenant_id = w.id::uuid";

pub(super) const LAST_ORD: &str = "SELECT last FROM message_place";

pub(super) const SUBSCRIPTIONS: &str = "
    SELECT h.tenant_id, h.id, h.status, h.events, h.sessions
    FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN webhook AS h ON h.tenant_id = w.id::uuid AND h.deleted_at IS NULL";

// What a batch writes. `$1` is a JSON array of the rows, in order.

pub(super) const PUT_REMEMBERED: &str = "
    INSERT INTO idempotency (owner, key, fingerprint, kind, subject, created_at)
    SELECT owner, key, decode(fingerprint, 'hex'), kind, subject, created_at
    FROM jsonb_to_recordset($1::jsonb)
        AS w(owner uuid, key text, fingerprint text, kind text, subject text, created_at bigint)
    ON CONFLICT (owner, key) DO UPDATE SET
        ord = excluded.ord, fingerprint = excluded.fingerprint, kind = excluded.kind, subject = excluded.subject,
        created_at = excluded.created_at";

const INSERT_MESSAGES: &str = "
    INSERT INTO message (ord, id, tenant_id, session_id, direction, chat, content, status, reason, wa_id, category,
        delivery, reply_to, client_ref, send_at, not_before, expires_at, attempts, epoch, attempted_at, charge,
        period_start, queued_at, held_at, sending_at, sent_at, delivered_at, read_at, failed_at, unknown_at,
        expired_at, canceled_at, dead_at, received_at, author, quoted)
    SELECT ord, id, tenant, session, direction, chat, content, status, reason, wa_id, category,
        delivery, reply_to, client_ref, send_at, not_before, expires_at, attempts, epoch, attempted_at, charge,
        period, queued, held, sending, sent, delivered, read, failed, unknown,
        expired, canceled, dead, received, author, quoted
    FROM jsonb_to_recordset($1::jsonb) AS w(ord bigint, id uuid, tenant uuid, session uuid, direction text, chat text,
        content text, status text, reason text, wa_id text, category text, delivery text, reply_to uuid,
        client_ref text, send_at bigint, not_before bigint, expires_at bigint, attempts bigint, epoch bigint,
        attempted_at bigint, charge text, period bigint, queued bigint, held bigint, sending bigint, sent bigint,
        delivered bigint, read bigint, failed bigint, unknown bigint, expired bigint, canceled bigint, dead bigint,
        received bigint, author text, quoted text)
    RETURNING ord";

/// Messages that were accepted and nothing else. What a column is not given is as it is for all of them.
const INSERT_ACCEPTED: &str = "
    INSERT INTO message (ord, id, tenant_id, session_id, direction, chat, content, status, wa_id, category, delivery,
        reply_to, client_ref, send_at, not_before, expires_at, attempts, epoch, charge, period_start, queued_at)
    SELECT ord, id, tenant, session, 'out', chat, content, 'queued', wa_id, category, delivery,
        reply_to, client_ref, send_at, send_at, expires_at, 0, 0, charge, period, at
    FROM jsonb_to_recordset($1::jsonb) AS w(ord bigint, id uuid, tenant uuid, session uuid, chat text, content text,
        wa_id text, category text, delivery text, reply_to uuid, client_ref text, send_at bigint, expires_at bigint,
        charge text, period bigint, at bigint)
    RETURNING ord";

const UPDATE_MESSAGES: &str = "
    UPDATE message SET
        status = w.status, reason = w.reason, not_before = w.not_before, attempts = w.attempts, epoch = w.epoch,
        attempted_at = w.attempted_at, charge = w.charge, held_at = w.held, sending_at = w.sending, sent_at = w.sent,
        delivered_at = w.delivered, read_at = w.read, failed_at = w.failed, unknown_at = w.unknown,
        expired_at = w.expired, canceled_at = w.canceled, dead_at = w.dead
    FROM jsonb_to_recordset($1::jsonb) AS w(ord bigint, status text, reason text, not_before bigint, attempts bigint,
        epoch bigint, attempted_at bigint, charge text, held bigint, sending bigint, sent bigint, delivered bigint,
        read bigint, failed bigint, unknown bigint, expired bigint, canceled bigint, dead bigint)
    WHERE message.ord = w.ord";

const INSERT_ATTEMPTS: &str = "
    INSERT INTO send_attempt (message_id, number, session_id, tenant_id, epoch, boot_id, moment, wall)
    SELECT message, number, session, tenant, epoch, boot, moment, wall
    FROM jsonb_to_recordset($1::jsonb) AS w(message uuid, number bigint, session uuid, tenant uuid, epoch bigint,
        boot uuid, moment bigint, wall bigint)";

const UPDATE_SESSIONS: &str = "
    UPDATE session SET
        epoch = w.epoch, desired = w.desired, status = w.status, reason = w.reason, reason_code = w.reason_code,
        since = w.since, paired = w.paired, paired_at = w.paired_at, failures = w.failures, retry_at = w.retry_at,
        retry_reason = w.retry_reason, throttle_steps = w.throttle_steps, banned_until = w.banned_until,
        timelock_until = w.timelock_until, new_chats_until = w.new_chats_until, replaced_at = w.replaced_at, starting_at = w.starting_at,
        unclean_deaths = w.unclean_deaths, probes = w.probes, deleted_at = w.deleted_at
    FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, epoch bigint, desired text, status text, reason text,
        reason_code bigint, since bigint, paired boolean, paired_at bigint, failures bigint, retry_at bigint, retry_reason text,
        throttle_steps bigint, banned_until bigint, timelock_until bigint, new_chats_until bigint, replaced_at bigint, starting_at bigint,
        unclean_deaths bigint, probes bigint, deleted_at bigint)
    WHERE session.id = w.id";

const UPDATE_TALLIES: &str = "
    UPDATE session_tally SET
        live = w.live, sent = w.sent, failed = w.failed, received = w.received, reconnects = w.reconnects,
        day = w.day, day_sent = w.day_sent, day_failed = w.day_failed, day_received = w.day_received
    FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, live bigint, sent bigint, failed bigint, received bigint,
        reconnects bigint, day bigint, day_sent bigint, day_failed bigint, day_received bigint)
    WHERE session_tally.session_id = w.id";

const PUT_DAYS: &str = "
    INSERT INTO usage_day (session_id, day, tenant_id, sent, failed, received)
    SELECT session, day, tenant, sent, failed, received
    FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, day bigint, tenant uuid, sent bigint, failed bigint,
        received bigint)
    ON CONFLICT (session_id, day) DO UPDATE SET sent = usage_day.sent + excluded.sent,
        failed = usage_day.failed + excluded.failed, received = usage_day.received + excluded.received";

const PUT_USAGE: &str = "
    INSERT INTO usage (tenant_id, period_start, period_end, allowance, quota, used, held, announced)
    SELECT tenant, period, period_end, allowance, quota, used, held, announced
    FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, period bigint, period_end bigint, allowance bigint,
        quota text, used bigint, held bigint, announced bigint)
    ON CONFLICT (tenant_id, period_start) DO UPDATE SET
        used = excluded.used, held = excluded.held, announced = excluded.announced";

const INSERT_MET: &str = "
    INSERT INTO chat (session_id, phone, tenant_id, first_at)
    SELECT session, chat, tenant, at
    FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, chat text, tenant uuid, at bigint)
    ON CONFLICT DO NOTHING";

const INSERT_APPROACHES: &str = "
    INSERT INTO approach (session_id, phone, tenant_id, at)
    SELECT session, chat, tenant, at
    FROM jsonb_to_recordset($1::jsonb) AS w(session uuid, chat text, tenant uuid, at bigint)
    ON CONFLICT DO NOTHING";

const PUT_CONTACTS: &str = "
    INSERT INTO contact (tenant_id, phone, stop_id, stopped_at, stopped_by, account, checked_at)
    SELECT tenant, phone, stop_id, stopped_at, stopped_by, account, checked_at
    FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, phone text, stop_id uuid, stopped_at bigint, stopped_by text,
        account boolean, checked_at bigint)
    ON CONFLICT (tenant_id, phone) DO UPDATE SET
        stop_id = excluded.stop_id, stopped_at = excluded.stopped_at, stopped_by = excluded.stopped_by, account = excluded.account,
        checked_at = excluded.checked_at";

const PUT_HEADS: &str = "
    INSERT INTO feed_head (tenant_id, seq)
    SELECT tenant, seq FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, seq bigint)
    ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq";

const INSERT_EVENTS: &str = "
    INSERT INTO event (tenant_id, seq, at, session_id, kind, message_id, webhook_id, code)
    SELECT tenant, seq, at, session, kind, message, webhook, code
    FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, seq bigint, at bigint, session uuid, kind text, message uuid,
        webhook uuid, code text)";

// Webhooks.

pub(super) const INSERT_WEBHOOK_EVENTS: &str = "
    INSERT INTO webhook_event (id, tenant_id, seq, at, kind, session_id, message_id, webhook_id, snapshot)
    SELECT id, tenant, seq, at, kind, session, message, webhook, snapshot
    FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, tenant uuid, seq bigint, at bigint, kind text, session uuid,
        message uuid, webhook uuid, snapshot text)";

pub(super) const INSERT_DELIVERIES: &str = "
    INSERT INTO webhook_delivery (id, tenant_id, webhook_id, event_id, kind, event_at, status, attempts, due_at,
        created_at, settled_at, repeats)
    SELECT id, tenant, webhook, event, kind, event_at, status, 0, due_at, created_at, settled_at, repeats
    FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, tenant uuid, webhook uuid, event uuid, kind text,
        event_at bigint, status text, due_at bigint, created_at bigint, settled_at bigint, repeats uuid)";

const INSERT_ATTEMPTS_AT_WEBHOOKS: &str = "
    INSERT INTO webhook_attempt (delivery_id, tenant_id, number, at, duration_ms, url, status, error, body)
    SELECT d.id, d.tenant_id, w.attempts, w.at, w.duration_ms, w.url, w.answer, w.error, w.body
    FROM jsonb_to_recordset($1::jsonb) AS w(delivery uuid, attempts bigint, at bigint, duration_ms bigint, url text,
        answer bigint, error text, body text)
    JOIN webhook_delivery AS d ON d.id = w.delivery";

const UPDATE_HEALTH: &str = "
    UPDATE webhook SET
        failures = w.failures, failing_since = w.failing_since, open_until = w.open_until, trips = w.trips
    FROM jsonb_to_recordset($1::jsonb) AS w(webhook uuid, failures bigint, failing_since bigint, open_until bigint,
        trips bigint)
    WHERE webhook.id = w.webhook";

/// What has come to rest meanwhile stays as it is.
const UPDATE_DELIVERIES: &str = "
    UPDATE webhook_delivery SET
        status = w.status, reason = w.reason, attempts = w.attempts, due_at = w.due_at, settled_at = w.settled_at
    FROM jsonb_to_recordset($1::jsonb) AS w(delivery uuid, status text, reason text, attempts bigint, due_at bigint,
        settled_at bigint)
    WHERE webhook_delivery.id = w.delivery AND webhook_delivery.status = 'pending'";

// Reads outside of batches that need a list or a shape of their own.

pub(super) const LIST_MESSAGES: &str = "
    SELECT m.* FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    CROSS JOIN LATERAL (
        SELECT e.* FROM message AS e
        WHERE e.session_id = w.id::uuid AND e.id < $2 AND e.tenant_id = $3
            AND ($4 IS NULL OR e.chat = $4) AND ($5 IS NULL OR e.status = $5)
            AND ($6 IS NULL OR e.direction = $6) AND ($7 IS NULL OR e.client_ref = $7)
        ORDER BY e.id DESC LIMIT $8) AS m
    ORDER BY m.id DESC LIMIT $8";

pub(super) const LOG_OF_SESSIONS: &str = "
    SELECT m.* FROM jsonb_array_elements_text($10::jsonb) AS w(id)
    CROSS JOIN LATERAL (
        SELECT e.* FROM (
            SELECT * FROM message WHERE session_id = w.id::uuid AND id < $1 AND id >= $2 ORDER BY id DESC LIMIT $9) AS e
        WHERE ($3 IS NULL OR e.tenant_id = $3) AND ($4 IS NULL OR e.chat = $4) AND ($5 IS NULL OR e.status = $5)
            AND ($6 IS NULL OR e.direction = $6) AND ($7 IS NULL OR e.client_ref = $7)
        ORDER BY e.id DESC LIMIT $8) AS m
    ORDER BY m.id DESC LIMIT $8";

pub(super) const LOG_OF_SESSIONS_END: &str = "
    SELECT (SELECT e.id FROM message AS e WHERE e.session_id = w.id::uuid AND e.id < $1 AND e.id >= $2
        ORDER BY e.id DESC LIMIT 1 OFFSET $3) FROM jsonb_array_elements_text($4::jsonb) AS w(id)";

pub(super) const LOG_OF_LIVE: &str = "
    SELECT m.* FROM jsonb_array_elements_text($10::jsonb) AS w(id)
    JOIN message AS m ON m.session_id = w.id::uuid AND m.status IN ('queued', 'held', 'sending')
    WHERE m.id < $1 AND m.id >= $2 AND ($3 IS NULL OR m.tenant_id = $3) AND ($4 IS NULL OR m.chat = $4)
        AND ($5 IS NULL OR m.status = $5) AND ($6 IS NULL OR m.direction = $6) AND ($7 IS NULL OR m.client_ref = $7)
        AND $9::bigint > 0
    ORDER BY m.id DESC LIMIT $8";

pub(super) const LIVE_SESSIONS: &str = "
    SELECT session_id, live FROM session_tally WHERE live > 0 AND ($1 IS NULL OR tenant_id = $1) LIMIT $2";

pub(super) const DUE_DELIVERIES: &str = "
    SELECT e.id AS event_id, e.tenant_id, e.seq, e.at, e.kind, e.session_id, e.message_id, e.webhook_id, e.snapshot,
        d.id, d.attempts, d.created_at
    FROM webhook_delivery AS d JOIN webhook_event AS e ON e.id = d.event_id
    WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.due_at <= $2
        AND d.id NOT IN (SELECT id::uuid FROM jsonb_array_elements_text($3::jsonb) AS busy(id))
    ORDER BY d.due_at, d.ord LIMIT $4";

pub(super) const RANGE_OF_DELIVERIES: &str = "
    SELECT d.* FROM webhook_delivery AS d
    WHERE d.webhook_id = $1 AND d.id >= $2 AND d.event_at >= $3 AND d.event_at < $4 AND d.kind <> 'webhook.test'
        AND d.status IN (SELECT status FROM jsonb_array_elements_text($5::jsonb) AS wanted(status))
        AND NOT EXISTS (
            SELECT 1 FROM webhook_delivery AS later
            WHERE later.event_id = d.event_id AND later.webhook_id = d.webhook_id AND later.ord > d.ord)
    ORDER BY d.event_at, d.ord LIMIT $6";

pub(super) const FORGET_ATTEMPTS_AT_WEBHOOKS: &str = "
    DELETE FROM webhook_attempt WHERE delivery_id IN (
        SELECT d.id FROM jsonb_array_elements_text($1::jsonb) AS w(id)
        JOIN webhook_delivery AS d ON d.event_id = w.id::uuid)";

pub(super) const FORGET_DELIVERIES: &str = "
    DELETE FROM webhook_delivery
    WHERE event_id IN (SELECT id::uuid FROM jsonb_array_elements_text($1::jsonb) AS w(id))";

pub(super) const FORGET_WEBHOOK_EVENTS: &str = "
    DELETE FROM webhook_event WHERE id IN (SELECT w.id::uuid FROM jsonb_array_elements_text($1::jsonb) AS w(id))";

pub(super) const WEBHOOK_EVENTS_ABOUT: &str = "
    SELECT e.id FROM jsonb_array_elements_text($1::jsonb) AS w(id)
    JOIN webhook_event AS e ON e.message_id = w.id::uuid";

pub(super) const ERASABLE: &str = "
    SELECT m.id FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, below uuid, before bigint)
    JOIN session AS s ON s.tenant_id = w.tenant
    CROSS JOIN LATERAL (
        SELECT e.id FROM message AS e
        WHERE e.session_id = s.id AND e.id < w.below
            AND e.status NOT IN ('queued', 'held', 'sending') AND e.charge <> 'held'
            AND (e.send_at IS NULL OR e.send_at < w.before)
        ORDER BY e.id LIMIT $2) AS m
    LIMIT $2";

pub(super) const ERASE: &str = "
    DELETE FROM message
    WHERE id IN (SELECT w.id::uuid FROM jsonb_array_elements_text($1::jsonb) AS w(id))
        AND status NOT IN ('queued', 'held', 'sending') AND charge <> 'held'";

pub(super) const EXPIRED_MEDIA: &str = "
    SELECT m.id, m.kept_from FROM jsonb_to_recordset($1::jsonb) AS w(tenant uuid, before bigint)
    JOIN media AS m ON m.tenant_id = w.tenant AND m.kept_from < w.before
    WHERE m.deleted_at IS NULL
    LIMIT $2";

pub(super) const NOTE_USE_OF_KEYS: &str = "
    UPDATE api_key SET last_used_at = w.at
    FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, at bigint)
    WHERE api_key.id = w.id AND (api_key.last_used_at IS NULL OR api_key.last_used_at < w.at)";

pub(super) const HAS_STEPS: &str = "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL";

pub(super) const LIVE_OF: &str = "
    SELECT CAST(coalesce(sum(t.live), 0) AS BIGINT) FROM session AS s
    JOIN session_tally AS t ON t.session_id = s.id
    WHERE s.tenant_id = $1";

pub(super) const ACTIVITY: &str = "
    SELECT w.id::uuid, (SELECT m.id FROM message AS m WHERE m.session_id = w.id::uuid ORDER BY m.id DESC LIMIT 1)
    FROM jsonb_array_elements_text($1::jsonb) AS w(id)";

pub(super) const ATTEMPTS_SINCE: &str = "
    SELECT s.id, count(*) FROM session AS s
    JOIN send_attempt AS a ON a.session_id = s.id AND a.wall >= $2
    WHERE s.tenant_id = $1
    GROUP BY s.id";

pub(super) const ATTEMPTS_OF_TENANT: &str = "
    SELECT a.boot_id, a.moment FROM session AS s
    JOIN send_attempt AS a ON a.session_id = s.id
    WHERE s.tenant_id = $1 AND ((a.boot_id = $2 AND a.moment >= $3) OR (a.boot_id <> $2 AND a.wall >= $4))";
