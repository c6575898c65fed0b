//! The content hash of an instrument: SHA-256 over canonical JSON (RFC 8785) of what its file says.
//!
//! Comments, layout and the order of keys do not count; the order within arrays does. Dates become
//! strings. Floats are refused, and integers that not every JSON reader holds exactly.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;

/// The largest integer that a double holds exactly, and so the largest in JSON that all agree on.
const LARGEST_INTEGER: i64 = (1 << 53) - 1;

/// The hash, and in `faults` what cannot be hashed.
pub(super) fn content_hash(table: &DeTable<'_>, faults: &mut Faults<'_>) -> [u8; 32] {
    let mut json = String::new();
    write_table(&mut json, table, faults);
    Sha256::digest(json.as_bytes()).into()
}

/// A hash as files and pages write it: `sha256:` and 64 hexadecimal digits.
pub fn sha256_text(hash: &[u8; 32]) -> String {
    let mut text = String::from("sha256:");
    for byte in hash {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
    }
    text
}

fn write_table(json: &mut String, table: &DeTable<'_>, faults: &mut Faults<'_>) {
    let mut entries: Vec<_> = table.iter().collect();
    // RFC 8785 section 3.2.3: by UTF-16 code units, which is not the order of the bytes.
    entries.sort_by(|(a, _), (b, _)| a.get_ref().encode_utf16().cmp(b.get_ref().encode_utf16()));
    json.push('{');
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_text(json, key.get_ref());
        json.push(':');
        write_value(json, value, faults);
    }
    json.push('}');
}

fn write_value(json: &mut String, value: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) {
    match value.get_ref() {
        DeValue::String(text) => write_text(json, text),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            match parsed {
                Ok(number) if (-LARGEST_INTEGER..=LARGEST_INTEGER).contains(&number) => {
                    json.push_str(&number.to_string());
                }
                _ => faults.at(value.span(), "this number is too large: write it in quotes"),
            }
        }
        DeValue::Float(_) => faults.at(value.span(), "no fractions here: write it in quotes"),
        DeValue::Boolean(yes) => json.push_str(if *yes { "true" } else { "false" }),
        DeValue::Datetime(date) => write_text(json, &date.to_string()),
        DeValue::Array(items) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    json.push(',');
                }
                write_value(json, item, faults);
            }
            json.push(']');
        }
        DeValue::Table(table) => write_table(json, table, faults),
    }
}

/// RFC 8785 section 3.2.2.2: the short escapes, `\u00xx` for the other controls, all else as it is.
fn write_text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\t' => json.push_str("\\t"),
            '\n' => json.push_str("\\n"),
            '\u{c}' => json.push_str("\\f"),
            '\r' => json.push_str("\\r"),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, String> {
        let mut faults = Faults::new("x.toml", text);
        let mut json = String::new();
        write_table(&mut json, DeTable::parse(text).unwrap().get_ref(), &mut faults);
        let errors = faults.into_errors();
        errors.first().map_or(Ok(json), |error| Err(error.to_string()))
    }

    #[test]
    fn writes_json_as_rfc_8785_does() {
        for (toml, json) in [
            ("", "{}"),
            ("b = 1\na = 'x' # remark", r#"{"a":"x","b":1}"#),
            ("[b]\nc = [1, 2]\n[a]", r#"{"a":{},"b":{"c":[1,2]}}"#),
            ("a = 0x1F\nb = -7\nc = 1_000\nd = +3", r#"{"a":31,"b":-7,"c":1000,"d":3}"#),
            ("a = [true, false]", r#"{"a":[true,false]}"#),
            ("a = 2020-02-10", r#"{"a":"2020-02-10"}"#),
            // The string of RFC 8785, section 3.2.2.
            (
                r#"string = "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/""#,
                "{\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
            ),
            // The keys of RFC 8785, section 3.2.3: 😀 (a surrogate pair) goes before דּ (U+FB33).
            (
                "\"\\u20ac\" = 5\n\"\\r\" = 1\n\"\\ufb33\" = 7\n1 = 2\n\"\\U0001F600\" = 6\n\"\\u0080\" = 3\n\"\\u00f6\" = 4",
                "{\"\\r\":1,\"1\":2,\"\u{80}\":3,\"ö\":4,\"€\":5,\"😀\":6,\"\u{fb33}\":7}",
            ),
            ("a = \"\\b\\t\\f\\u007f\"", "{\"a\":\"\\b\\t\\f\u{7f}\"}"),
            ("a = 9007199254740991", r#"{"a":9007199254740991}"#),
        ] {
            assert_eq!(canonical(toml), Ok(json.to_owned()), "{toml}");
        }
    }

    #[test]
    fn refuses_what_readers_of_json_would_not_agree_on() {
        for (toml, error) in [
            ("a = 1\nb = 1.5", "x.toml:2: no fractions here: write it in quotes"),
            ("b = nan", "x.toml:1: no fractions here: write it in quotes"),
            ("a = 9007199254740992", "x.toml:1: this number is too large: write it in quotes"),
            ("a = [[99999999999999999999999]]", "x.toml:1: this number is too large: write it in quotes"),
        ] {
            assert_eq!(canonical(toml), Err(error.to_owned()), "{toml}");
        }
    }
}
