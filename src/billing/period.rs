//! Months as a business counts them: from midnight on the first to midnight on the next first, on the clocks of its zone.

use chrono::{Datelike, MappedLocalTime, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::domain::time::{Period, WallTime};

/// The month that `at` lies in, on the clocks of `zone`.
pub fn month_of(at: WallTime, zone: Tz) -> Period {
    months_from(at, 1, zone)
}

/// The month that `at` lies in and those after it, `count` of them together.
pub fn months_from(at: WallTime, count: u32, zone: Tz) -> Period {
    let date = at.utc().with_timezone(&zone).date_naive();
    let first = date.with_day(1).unwrap_or(date);
    let after = first.checked_add_months(Months::new(count)).unwrap_or(first);
    Period { start: begin(first, zone), end: begin(after, zone) }
}

/// The day that `at` lies in, on the clocks of `zone`: 23 to 25 hours where they are set.
pub fn day_of(at: WallTime, zone: Tz) -> Period {
    let date = at.utc().with_timezone(&zone).date_naive();
    let after = date.succ_opt().unwrap_or(date);
    Period { start: begin(date, zone), end: begin(after, zone) }
}

/// The first instant of a day. Where clocks are set forward over midnight a day begins later, where they are set back
/// over it the first of both midnights counts.
fn begin(day: NaiveDate, zone: Tz) -> WallTime {
    let mut local: NaiveDateTime = day.and_time(NaiveTime::MIN);
    // No zone has ever skipped a whole day that was the first of a month but Kwajalein's and Samoa's neighbours did skip
    // days, so the search ends after one.
    for _ in 0..96 {
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => {
                return WallTime(at.timestamp_millis());
            }
            MappedLocalTime::None => local += TimeDelta::minutes(15),
        }
    }
    WallTime(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> WallTime {
        chrono::DateTime::parse_from_rfc3339(text).expect("a date").to_utc().into()
    }

    #[test]
    fn a_month_begins_with_its_first_millisecond_and_ends_with_the_next() {
        for (zone, moment, start, end) in [
            (Tz::UTC, "2026-11-22T12:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            (Tz::UTC, "2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Tz::UTC, "2028-02-29T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Tz::UTC, "2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            // Summer time ends and begins inside.
            (Tz::Europe__Berlin, "2026-10-31T23:30:00Z", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            (Tz::Europe__Berlin, "2026-10-05T00:00:00Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
            (Tz::Asia__Kolkata, "2026-02-28T18:29:59Z", "2026-01-31T18:30:00Z", "2026-02-28T18:30:00Z"),
            (Tz::America__Sao_Paulo, "2026-03-01T02:59:59Z", "2026-02-01T03:00:00Z", "2026-03-01T03:00:00Z"),
            // Clocks went forward over midnight of the first of April 1979 in Amman... and of May 1978: the day began at one.
            (Tz::Asia__Amman, "1979-03-15T00:00:00Z", "1979-02-28T22:00:00Z", "1979-03-31T22:00:00Z"),
            (Tz::Africa__Cairo, "2010-09-30T22:30:00Z", "2010-09-30T22:00:00Z", "2010-10-31T22:00:00Z"),
        ] {
            let period = month_of(at(moment), zone);
            assert_eq!((period.start, period.end), (at(start), at(end)), "{moment} {zone}");
        }
    }

    #[test]
    fn a_year_is_twelve_months_also_when_one_of_them_has_a_leap_day() {
        let year = months_from(at("2027-03-10T00:00:00Z"), 12, Tz::UTC);
        assert_eq!((year.start, year.end), (at("2027-03-01T00:00:00Z"), at("2028-03-01T00:00:00Z")));
        assert_eq!(year.end.since(year.start).as_secs(), 366 * 24 * 3600);
    }

    proptest! {
        #[test]
        fn months_follow_on_each_other_without_a_gap_in_every_zone(
            zone in 0..chrono_tz::TZ_VARIANTS.len(), from in 0_i64..4_000_000_000_000,
        ) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let month = month_of(WallTime(from), zone);
            prop_assert!(month.start.0 <= from && from < month.end.0);
            prop_assert_eq!(month_of(month.start, zone), month);
            prop_assert_eq!(month_of(month.end, zone).start, month.end);
            prop_assert_eq!(month_of(WallTime(month.end.0 - 1), zone), month);
        }
    }
}
