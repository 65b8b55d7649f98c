//! Cursors: opaque to callers, so that what a list is sorted by may change. A version byte, then the last row's key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::domain::id::SessionId;
use crate::domain::page::Order;
use crate::domain::session::Session;
use crate::domain::time::WallTime;
use crate::ports::sessions::{FleetKey, FleetSort};

const BY_ID: u8 = 1;
const BY_CODE: u8 = 2;
const BY_PLACE: u8 = 3;
const BY_DAY: u8 = 4;
const BY_SORT: u8 = 5;

/// The cursor of a list that is sorted by id.
pub fn of_id(last: Uuid) -> String {
    encode(BY_ID, last.as_bytes())
}

/// The id in a cursor; `None` when it is not one of ours.
pub fn id(cursor: &str) -> Option<Uuid> {
    Uuid::from_slice(&decode(BY_ID, cursor)?).ok()
}

/// The cursor of a list that is sorted by a code.
pub fn of_code(last: &str) -> String {
    encode(BY_CODE, last.as_bytes())
}

/// The code in a cursor; `None` when it is not one of ours.
pub fn code(cursor: &str) -> Option<String> {
    String::from_utf8(decode(BY_CODE, cursor)?).ok()
}

/// The cursor of a list that is sorted by places.
pub fn of_place(last: u64) -> String {
    encode(BY_PLACE, &last.to_be_bytes())
}

/// The place in a cursor; `None` when it is not one of ours.
pub fn place(cursor: &str) -> Option<u64> {
    decode(BY_PLACE, cursor)?.try_into().ok().map(u64::from_be_bytes)
}

/// The cursor of a list that is sorted by days and then by ids.
pub fn of_day(day: WallTime, last: Uuid) -> String {
    encode(BY_DAY, &[&day.0.to_be_bytes()[..], last.as_bytes()].concat())
}

/// The day and the id in a cursor; `None` when it is not one of ours.
pub fn day(cursor: &str) -> Option<(WallTime, Uuid)> {
    let key = decode(BY_DAY, cursor)?;
    let (day, id) = key.split_first_chunk::<8>()?;
    Some((WallTime(i64::from_be_bytes(*day)), Uuid::from_slice(id).ok()?))
}

/// The cursor of the fleet's list: good for the sort and the order it was made with.
pub fn of_fleet(sort: FleetSort, order: Order, last: &Session) -> String {
    let key = match sort.key(last) {
        FleetKey::Number(number) => number.to_be_bytes().to_vec(),
        FleetKey::Text(text) => text.into_bytes(),
        FleetKey::Id(id) => id.as_bytes().to_vec(),
    };
    encode(BY_SORT, &[&[sort as u8, order as u8], &last.id.uuid().as_bytes()[..], &key].concat())
}

/// Key and id in a cursor; `None` when it is not one of ours, or of another sort or order.
pub fn fleet(cursor: &str, sort: FleetSort, order: Order) -> Option<(FleetKey, SessionId)> {
    let key = decode(BY_SORT, cursor)?;
    let (head, key) = key.split_first_chunk::<2>()?;
    let (id, key) = key.split_first_chunk::<16>()?;
    if *head != [sort as u8, order as u8] {
        return None;
    }
    let key = match sort {
        FleetSort::Since | FleetSort::Queued => FleetKey::Number(i64::from_be_bytes(key.try_into().ok()?)),
        FleetSort::Label | FleetSort::Status => FleetKey::Text(String::from_utf8(key.to_vec()).ok()?),
        FleetSort::Created | FleetSort::Tenant => FleetKey::Id(Uuid::from_slice(key).ok()?),
    };
    Some((key, Uuid::from_bytes(*id).into()))
}

fn encode(version: u8, key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode([&[version], key].concat())
}

fn decode(version: u8, cursor: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (&first, key) = bytes.split_first()?;
    (first == version).then(|| key.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator as _;

    use super::*;
    use crate::domain::session::SessionStatus;
    use crate::http::openapi::sample;

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_the_key_it_was_made_of(bits: u128, word in "[a-z0-9_-]{1,64}") {
            let uuid = Uuid::from_u128(bits);
            prop_assert_eq!(id(&of_id(uuid)), Some(uuid));
            prop_assert_eq!(code(&of_code(&word)), Some(word.clone()));
            prop_assert_eq!(place(&of_place(bits as u64)), Some(bits as u64));
            let at = WallTime(bits as i64);
            prop_assert_eq!(day(&of_day(at, uuid)), Some((at, uuid)));
            prop_assert_eq!(day(&of_id(uuid)), None);
            prop_assert_eq!(place(&of_id(uuid)), None);
            prop_assert_eq!(code(&of_id(uuid)), None);
            prop_assert_eq!(id(&of_code(&word)), None);
        }

        #[test]
        fn a_place_in_the_fleet_comes_back_for_its_sort_and_order_only(queued: u32, label in "[a-zA-Z ]{1,20}") {
            let mut session = sample::session(SessionStatus::Parked);
            session.label = label;
            session.counters.queued = queued.into();
            for sort in FleetSort::iter() {
                let made = of_fleet(sort, Order::Ascending, &session);
                prop_assert_eq!(fleet(&made, sort, Order::Ascending), Some((sort.key(&session), session.id)));
                prop_assert_eq!(fleet(&made, sort, Order::Descending), None);
                let others = FleetSort::iter().filter(|other| *other != sort);
                prop_assert!(others.into_iter().all(|other| fleet(&made, other, Order::Ascending).is_none()));
            }
        }

        #[test]
        fn rubbish_is_no_cursor(text in "[ -~]{0,40}") {
            prop_assume!(!text.starts_with("AQ") && !text.starts_with("AR"));
            prop_assert_eq!(id(&text), None);
        }
    }
}
