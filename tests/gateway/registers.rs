//! Numbers and case references that break one rule each.

use crate::support::{NOBODY, PIETER};

/// Check digits for who is born before 2000.
fn with_check(base: &str) -> String {
    let number: u64 = base.parse().unwrap();
    format!("{base}{:02}", 97 - number % 97)
}

/// Numbers of which each breaks one rule: length, digits, month, day, counter, check digits, calendar, future.
pub fn malformed_numbers() -> Vec<String> {
    let plain =
        ["", "8463123018", "846312301890", "84.63.12-301.89", "8463123018x", "٨٤٦٣١٢٣٠١٨٩", " 84631230189"];
    // Of every range, the months just outside it.
    let months = ["13", "19", "33", "39", "53", "59", "73", "99"].map(|month| format!("85{month}30033"));
    let days = ["850132033", "850431033", "850230033", "856231033", "852300033x"];
    let counters = ["850730000", "850730999"];
    // Real months, impossible dates: 1985 had no 29 February.
    let dates = ["850229033", "856229033"];
    let check = [PIETER, NOBODY].map(|number| {
        let last = if number.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &number[..10])
    });
    let mut numbers: Vec<String> = plain.map(str::to_owned).to_vec();
    numbers.extend(months.iter().map(|base| with_check(base)));
    numbers.extend(days.iter().filter(|base| base.len() == 9).map(|base| with_check(base)));
    numbers.extend(counters.map(with_check));
    numbers.extend(dates.map(with_check));
    numbers.extend(check);
    // Born in 2099, by the check digits of this century.
    numbers.push(format!("996101033{:02}", 97 - 2_996_101_033_u64 % 97));
    numbers
}

/// Case references of which each breaks one rule.
pub fn malformed_cases() -> Vec<String> {
    let long = "x".repeat(65);
    ["", "two words", "a;b", "PV_84631230189", "84.63.12-30/189", "case:856730:03360", &long]
        .map(str::to_owned)
        .to_vec()
}
