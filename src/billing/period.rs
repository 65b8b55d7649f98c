//! Usage is counted per calendar month, UTC.

use chrono::{Datelike, Months, NaiveDate, NaiveTime};

use crate::domain::time::WallTime;
use crate::ports::outbox::Period;

/// The month that `at` lies in.
pub fn month_of(at: WallTime) -> Period {
    let date = at.utc().date_naive();
    let first = date.with_day(1).unwrap_or(date);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    let midnight = |day: NaiveDate| WallTime::from(day.and_time(NaiveTime::MIN).and_utc());
    Period { start: midnight(first), end: midnight(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        chrono::DateTime::parse_from_rfc3339(text).expect("a date").to_utc().into()
    }

    #[test]
    fn a_month_begins_with_its_first_millisecond_and_ends_with_the_next() {
        for (moment, start, end) in [
            ("2026-11-22T12:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ] {
            let period = month_of(at(moment));
            assert_eq!((period.start, period.end), (at(start), at(end)), "{moment}");
        }
    }
}
