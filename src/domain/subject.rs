//! The data subject's number: INSZ (national register number, bis number, or MAGDA test number).
//!
//! Rules: eleven digits `YYMMDDSSSCC`; CC = 97 - (YYMMDDSSS mod 97), with a 2 before the nine digits for who
//! is born from 2000 on (royal decree of 3 April 1984). The century is the one whose checksum fits.

use std::fmt;

use jiff::civil::Date;

/// A number that passed every rule. Shown nowhere: its `Debug` is blank.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Insz([u8; 11]);

/// What depends on the gateway rather than on the number.
#[derive(Clone, Copy, Debug)]
pub struct InszRules {
    /// Test numbers (month 61 to 72, or 60 where it is unknown) are accepted. Never in production.
    pub test: bool,
    /// Nobody is born after this day.
    pub today: Date,
}

/// The first rule that a number breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InszError {
    /// Not eleven digits.
    Length,
    /// The month is in no register's range.
    Month,
    /// A test number, and test numbers are not accepted.
    TestNumber,
    /// No such day in that month.
    Day,
    /// A counter that the national register does not issue.
    Counter,
    /// The check digits fit neither century.
    Checksum,
    /// No such date in that year, or a birth in the future.
    Date,
}

impl InszError {
    /// The rule, for who wrote the number. Holds nothing of it.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Length => "an INSZ has eleven digits and nothing else",
            Self::Month => "the month is none of 00 to 12, nor one of those plus 20 or 40",
            Self::TestNumber => "test numbers (month 61 to 72) are not accepted here",
            Self::Day => "that month has no such day",
            Self::Counter => "no number has this counter",
            Self::Checksum => "the last two digits do not fit the others",
            Self::Date => "no such date, or one to come",
        }
    }
}

impl Insz {
    /// Parses a number that a caller sent.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str, rules: InszRules) -> Result<Self, InszError> {
        let digits: [u8; 11] = text.as_bytes().try_into().map_err(|_| InszError::Length)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(InszError::Length);
        }
        let number = |range: std::ops::Range<usize>| {
            digits.get(range).unwrap_or_default().iter().fold(0_u64, |n, d| n * 10 + u64::from(d - b'0'))
        };
        let (year, month, day) = (number(0..2), number(2..4), number(4..6));
        let (counter, check) = (number(6..9), number(9..11));

        let calendar_month = match month {
            0..=12 => month,
            20..=32 => month - 20,
            40..=52 => month - 40,
            60..=72 if rules.test => month - 60,
            60..=72 => return Err(InszError::TestNumber),
            _ => return Err(InszError::Month),
        };
        let longest = match calendar_month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day > longest {
            return Err(InszError::Day);
        }
        if month <= 12 && (counter == 0 || counter == 999) {
            return Err(InszError::Counter);
        }
        let base = number(0..9);
        let century = if check == 97 - base % 97 {
            1900
        } else if check == 97 - (2_000_000_000 + base) % 97 {
            2000
        } else {
            return Err(InszError::Checksum);
        };
        born(century + year, calendar_month, day, rules.today).ok_or(InszError::Date)?;
        Ok(Self(digits))
    }

    /// The eleven digits.
    pub fn as_str(&self) -> &str {
        // Only digits pass `parse`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// True where a text holds eleven digits that are somebody's number, whatever stands between or around them.
/// For free references, in which nobody's number belongs.
pub fn holds_insz(text: &str, today: Date) -> bool {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    digits.windows(11).any(|window| {
        std::str::from_utf8(window)
            .is_ok_and(|number| Insz::parse(number, InszRules { test: true, today }).is_ok())
    })
}

/// Whether someone can be born then: a real date where day and month are known, and not in the future.
fn born(year: u64, month: u64, day: u64, today: Date) -> Option<()> {
    let year = i16::try_from(year).ok()?;
    if year > today.year() {
        return None;
    }
    if month == 0 || day == 0 {
        return Some(());
    }
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    (date <= today).then_some(())
}

impl fmt::Debug for Insz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Insz(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TODAY: Date = jiff::civil::date(2026, 11, 22);
    const TEST: InszRules = InszRules { test: true, today: TODAY };

    #[test]
    fn each_rule_refuses_its_own() {
        let strict = InszRules { test: false, today: TODAY };
        for (number, rules, expected) in [
            ("85673003360", TEST, None),
            ("04622921841", TEST, None),
            ("62710512470", TEST, None),
            ("19722499788", TEST, None),
            ("85073003328", strict, None),
            ("53480200724", strict, None),
            ("85673003360", strict, Some(InszError::TestNumber)),
            ("85673003361", TEST, Some(InszError::Checksum)),
            ("8567300336", TEST, Some(InszError::Length)),
            ("856730033600", TEST, Some(InszError::Length)),
            ("8567300336x", TEST, Some(InszError::Length)),
            ("85.67.30-033", TEST, Some(InszError::Length)),
            ("٨٥٦٧٣", TEST, Some(InszError::Length)),
            ("85133003328", TEST, Some(InszError::Month)),
            ("00600099536", TEST, None),
            ("00600099536", strict, Some(InszError::TestNumber)),
            ("85593003328", TEST, Some(InszError::Month)),
            ("85733003328", TEST, Some(InszError::Month)),
            ("85073203328", TEST, Some(InszError::Day)),
            ("85063103328", TEST, Some(InszError::Day)),
            ("85023003328", TEST, Some(InszError::Day)),
            ("85073000000", TEST, Some(InszError::Counter)),
            ("85073099900", TEST, Some(InszError::Counter)),
        ] {
            assert_eq!(Insz::parse(number, rules).err(), expected, "{number}");
        }
    }

    #[test]
    fn a_date_that_no_calendar_has_is_refused() {
        // 29 February 1985 with a fitting checksum, and a birth tomorrow.
        for base in [856_229_033_u64, 2_267_223_033] {
            let check = 97 - base % 97;
            let number = format!("{:09}{check:02}", base % 1_000_000_000);
            assert_eq!(Insz::parse(&number, TEST).err(), Some(InszError::Date), "{number}");
        }
    }

    #[test]
    fn a_number_in_a_reference_is_found_however_it_is_written() {
        for (text, found) in [
            ("85.67.30-033.60", true),
            ("case/85673003360", true),
            ("x1-856730033602", true),
            ("PV-2026-000123", false),
            ("85673003361", false),
        ] {
            assert_eq!(holds_insz(text, TODAY), found, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,14}") {
            let _ = Insz::parse(&text, TEST);
        }

        #[test]
        fn one_wrong_digit_never_passes(index in 0_usize..11, by in 1_u8..10) {
            let mut digits = *b"85673003360";
            digits[index] = b'0' + (digits[index] - b'0' + by) % 10;
            let text = std::str::from_utf8(&digits).unwrap();
            prop_assert!(Insz::parse(text, TEST).is_err());
        }
    }
}
