//! When an instrument is in force: whole days, as Brussels counts them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// From the first day, at midnight in Brussels, until the end of the last day there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first day.
    pub from: Date,
    /// The last day, itself included. Absent: for an indefinite time.
    pub until: Option<Date>,
    start: Timestamp,
    end: Option<Timestamp>,
}

impl Validity {
    /// `None` where a day lies beyond what can be reckoned with.
    pub fn new(from: Date, until: Option<Date>) -> Option<Self> {
        let start = midnight(from)?;
        let end = match until {
            Some(last) => Some(midnight(last.checked_add(1.day()).ok()?)?),
            None => None,
        };
        Some(Self { from, until, start, end })
    }

    /// The first instant.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The first instant after it, if there is an end.
    pub fn end(&self) -> Option<Timestamp> {
        self.end
    }

    /// Whether it has begun.
    pub fn has_begun(&self, now: Timestamp) -> bool {
        self.start <= now
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|end| end <= now)
    }

    /// Whether the instant lies in it.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.has_begun(now) && !self.is_over(now)
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    // From the bundled database: no file is read.
    let brussels = TimeZone::get("Europe/Brussels").ok()?;
    Some(date.to_zoned(brussels).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn days_begin_and_end_at_midnight_in_brussels() {
        for (from, until, before, first, last, after) in [
            // Winter: an hour ahead of UTC.
            (
                "2020-02-10",
                "2020-02-10",
                "2020-02-09T22:59:59.999999Z",
                "2020-02-09T23:00:00Z",
                "2020-02-10T22:59:59.999999Z",
                "2020-02-10T23:00:00Z",
            ),
            // Summer: two hours.
            (
                "2026-07-01",
                "2026-07-31",
                "2026-06-30T21:59:59.999999Z",
                "2026-06-30T22:00:00Z",
                "2026-07-31T21:59:59.999999Z",
                "2026-07-31T22:00:00Z",
            ),
            // From summer time into winter time: the last day has 25 hours.
            (
                "2026-10-25",
                "2026-10-25",
                "2026-10-24T21:59:59.999999Z",
                "2026-10-24T22:00:00Z",
                "2026-10-25T22:59:59.999999Z",
                "2026-10-25T23:00:00Z",
            ),
        ] {
            let validity = Validity::new(from.parse().unwrap(), Some(until.parse().unwrap())).unwrap();
            assert!(!validity.contains(at(before)), "{before}");
            assert!(validity.contains(at(first)), "{first}");
            assert!(validity.contains(at(last)), "{last}");
            assert!(!validity.contains(at(after)), "{after}");
            assert!(validity.is_over(at(after)) && !validity.is_over(at(last)));
        }
    }

    #[test]
    fn without_a_last_day_it_does_not_end() {
        let validity = Validity::new("2020-02-10".parse().unwrap(), None).unwrap();
        assert!(validity.contains(at("9999-01-01T00:00:00Z")));
        assert_eq!(validity.end(), None);
    }

    #[test]
    fn a_day_beyond_the_calendar_is_no_validity() {
        let far: Date = "9999-12-31".parse().unwrap();
        assert_eq!(Validity::new("2020-02-10".parse().unwrap(), Some(far)), None);
    }
}
