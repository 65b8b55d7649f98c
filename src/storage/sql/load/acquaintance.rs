//! What a batch needs to know of people: what tenants know of their numbers, whom sessions wrote to first, and what waits
//! for somebody who wants no messages. Most tenants know nothing of anybody, and then nothing is read.

use std::collections::BTreeSet;

use sea_orm::{DatabaseTransaction, QueryResult};
use serde::Serialize;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::{Needs, ids, put};
use crate::domain::chat::Chat;
use crate::domain::id::TenantId;
use crate::domain::restraint::SPAN;
use crate::domain::time::WallTime;
use crate::ports::contacts::{Contact, Stop};
use crate::storage::sql::book::Book;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::{maybe_time, maybe_word};
use crate::storage::sql::idempotency::json;
use crate::storage::sql::kept::Kept;

/// Rare enough to be read one by one.
pub(in crate::storage::sql) const STOPPED: &str =
    "SELECT * FROM contact WHERE tenant_id = $1 AND stop_id = $2";

const HAS_MET: &str = "SELECT first_at FROM chat WHERE session_id = $1 AND phone = $2";
const HAS_APPROACHED: &str = "SELECT at FROM approach WHERE session_id = $1 AND phone = $2";

#[derive(Serialize)]
struct Number<'a> {
    tenant: Simple,
    phone: &'a str,
}

impl<'a> Number<'a> {
    fn of((tenant, phone): &'a (TenantId, Chat)) -> Self {
        Self { tenant: tenant.uuid().simple(), phone: phone.as_str() }
    }
}

pub(super) async fn read(
    txn: &DatabaseTransaction,
    needs: &mut Needs,
    book: &mut Book,
    kept: &mut Kept,
) -> Result<(), Fault> {
    if !needs.approaches.is_empty() || !needs.acquaintances.is_empty() {
        read_approaches(txn, needs, book).await?;
    }
    if !needs.acquaintances.is_empty() {
        read_acquaintances(txn, needs, book).await?;
    }
    read_contacts(txn, needs, book, kept).await?;
    if !needs.waiting.is_empty() {
        let numbers = json(&needs.waiting.iter().map(Number::of).collect::<Vec<_>>())?;
        put(txn, dialect::statement(txn, dialect::WAITING_FOR, [numbers.into()]), book).await?;
    }
    Ok(())
}

/// Those of the last day, and those of the people that are to be written to now, whenever they were.
async fn read_approaches(txn: &DatabaseTransaction, needs: &mut Needs, book: &mut Book) -> Result<(), Fault> {
    let asked: Vec<_> = needs.approaches.iter().filter_map(|&id| Some(&book.message(id)?.message)).collect();
    let of_numbers = needs.acquaintances.iter().map(|(session, _)| session.uuid());
    let sessions: BTreeSet<Uuid> =
        asked.iter().map(|message| message.session.uuid()).chain(of_numbers).collect();
    needs.contacts.extend(asked.iter().map(|message| (message.tenant, message.chat.clone())));
    let since = needs.claimed_at - SPAN;
    let values = [ids(sessions.into_iter())?.into(), since.0.into()];
    let mut rows = dialect::query(txn, dialect::APPROACHES, values).await?;
    let messages = ids(needs.approaches.iter().map(|id| id.uuid()))?;
    rows.extend(dialect::query(txn, dialect::APPROACHED, [messages.into()]).await?);
    for row in rows {
        let session: Uuid = row.try_get_by_index(0)?;
        let chat = Chat::stored(row.try_get_by_index(1)?);
        book.put_approached(session.into(), chat, WallTime(row.try_get_by_index(2)?));
    }
    Ok(())
}

/// Which of these people have written to their session, and when it wrote to the others first.
async fn read_acquaintances(txn: &DatabaseTransaction, needs: &Needs, book: &mut Book) -> Result<(), Fault> {
    for (session, chat) in &needs.acquaintances {
        let values = || [session.uuid().into(), chat.as_str().to_owned().into()];
        if !dialect::query(txn, HAS_MET, values()).await?.is_empty() {
            book.put_met(*session, chat.clone());
        }
        if let Some(row) = dialect::query(txn, HAS_APPROACHED, values()).await?.first() {
            book.put_approached(*session, chat.clone(), WallTime(row.try_get_by_index(0)?));
        }
    }
    Ok(())
}

async fn read_contacts(
    txn: &DatabaseTransaction,
    needs: &Needs,
    book: &mut Book,
    kept: &mut Kept,
) -> Result<(), Fault> {
    let tenants: BTreeSet<TenantId> = needs.contacts.iter().map(|(tenant, _)| *tenant).collect();
    let unknown: Vec<_> =
        tenants.into_iter().filter(|&tenant| kept.is_acquainted(tenant).is_none()).collect();
    if !unknown.is_empty() {
        let wanted = ids(unknown.iter().map(|tenant| tenant.uuid()))?;
        unknown.iter().for_each(|&tenant| kept.put_acquainted(tenant, false));
        for row in dialect::query(txn, dialect::ACQUAINTED, [wanted.into()]).await? {
            kept.put_acquainted(row.try_get_by_index::<Uuid>(0)?.into(), true);
        }
    }
    let numbers = needs.contacts.iter().filter(|(tenant, _)| kept.is_acquainted(*tenant) != Some(false));
    let numbers: Vec<_> = numbers.map(Number::of).collect();
    let mut rows = vec![];
    if !numbers.is_empty() {
        rows.extend(dialect::query(txn, dialect::CONTACTS, [json(&numbers)?.into()]).await?);
    }
    for (tenant, id) in &needs.stops {
        rows.extend(dialect::query(txn, STOPPED, [tenant.uuid().into(), id.uuid().into()]).await?);
    }
    for row in rows {
        let tenant: Uuid = row.try_get("", "tenant_id")?;
        let phone = Chat::stored(row.try_get("", "phone")?);
        let account = row.try_get::<Option<bool>>("", "account")?;
        let checked_at = maybe_time(row.try_get("", "checked_at")?);
        let contact = Contact { stopped: stop(&row)?, account: account.zip(checked_at) };
        book.put_contact(tenant.into(), phone, contact);
    }
    Ok(())
}

/// The wish in a row, if it holds one.
pub(in crate::storage::sql) fn stop(row: &QueryResult) -> Result<Option<Stop>, Fault> {
    let id = row.try_get::<Option<Uuid>>("", "stop_id")?;
    let at = maybe_time(row.try_get("", "stopped_at")?);
    let by = row.try_get::<Option<String>>("", "stopped_by")?;
    let by = maybe_word(by.as_deref(), "word for who stopped it")?;
    Ok(id.zip(at).zip(by).map(|((id, at), by)| Stop { id: id.into(), at, by }))
}
