//! What a partner's descriptors leave unsaid. Everything at once, so that a partner mends it in one go: what the gateway
//! refuses, and what it would take in silence though somebody should have looked at it.

use std::collections::BTreeSet;
use std::fmt;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MethodDescriptor};

use super::partner::{PartnerError, pool, unshaken};
use super::{MAX_WAYS, Method, Sensitivity, Vocabulary, VocabularyError, is_classified, rule, said, search};
use crate::proto::options::Manner;

/// Something that a set leaves unsaid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The gateway does not serve the set, or no answer of the method, as long as it stands.
    pub refused: bool,
    /// The field that it is about, or the method, in full; empty where it is about all of the set.
    pub place: Box<str>,
    /// What is missing, and what to write.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.refused { "refused: " } else { "warning: " })?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Judges a set, to be that of `source` (any one, where none is given) beside `vocabulary`.
pub fn lint(vocabulary: &Vocabulary, source: Option<&str>, set: &[u8]) -> Vec<Finding> {
    unshaken(|| pool(&vocabulary.own, set).map(|pool| all(vocabulary, source, &pool))).unwrap_or_else(|error| {
        let mut findings = Findings::default();
        findings.refuse("", &error);
        findings.0
    })
}

fn all(vocabulary: &Vocabulary, source: Option<&str>, pool: &DescriptorPool) -> Vec<Finding> {
    let mut findings = Findings::default();
    let (mut left, mut exchanges) = (MAX_WAYS, 0);
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        if said(&method) == Ok(None) {
            let message = "it has no option (sluis.options.v1.method), so that nobody can call it";
            findings.warn(method.full_name(), message);
            continue;
        }
        exchanges += 1;
        judge(vocabulary, source, &method, &mut left, &mut findings);
    }
    if exchanges == 0 {
        findings.refuse("", &PartnerError::Nothing);
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn refuse(&mut self, place: &str, error: &dyn fmt::Display) {
        self.add(true, place, &error.to_string());
    }

    fn warn(&mut self, place: &str, message: &str) {
        self.add(false, place, message);
    }

    fn add(&mut self, refused: bool, place: &str, message: &str) {
        // Errors name their place themselves.
        let message = message.strip_prefix(&format!("{place}: ")).unwrap_or(message).to_owned();
        let finding = Finding { refused, place: place.into(), message };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}

/// One method: all that keeps it from being served, then what its fields leave unsaid.
fn judge(
    vocabulary: &Vocabulary,
    source: Option<&str>,
    method: &MethodDescriptor,
    left: &mut usize,
    findings: &mut Findings,
) {
    let name = || Box::from(method.full_name());
    let mut faults = Vec::new();
    if let Ok(Some(said)) = said(method) {
        if method.is_client_streaming() || method.is_server_streaming() {
            faults.push(VocabularyError::Stream(name()));
        }
        if said.source.is_empty() {
            faults.push(VocabularyError::NoSource(name()));
        }
        if said.manner() == Manner::Unspecified {
            faults.push(VocabularyError::NoManner(name()));
        }
    }
    if !holds(method, Direction::Request, left, |way| way.last().is_some_and(|field| rule(field).subject)) {
        faults.push(VocabularyError::NoSubject(name()));
    }
    match Method::read(method, left) {
        Err(error) if !faults.contains(&error) => faults.push(error),
        Err(_) | Ok(None) => {}
        Ok(Some(read)) => {
            let source = source.unwrap_or(&read.source);
            if let Err(error) = vocabulary.may_serve(source, &read) {
                findings.refuse(method.full_name(), &error);
            }
            if read.subject_returned.is_none() && read.parties.is_empty() && !read.unnamed {
                findings.refuse(
                    method.full_name(),
                    &"no field of the answer is the data subject, so that no answer could be known to be about the \
                      person asked for: mark one `subject: true`",
                );
            }
            let tells_where = |way: &[FieldDescriptor]| {
                way.iter().any(|field| rule(field).sensitivity == Sensitivity::Address)
            };
            if read.protected_address.is_none() && holds(method, Direction::Answer, left, tells_where) {
                findings.warn(
                    method.full_name(),
                    "it tells addresses, and nothing tells which are protected: mark what does with \
                     `fact: FACT_PROTECTED_ADDRESS`, or every flow with an address needs `unflagged_address`",
                );
            }
        }
    }
    for fault in faults {
        findings.refuse(method.full_name(), &fault);
    }
    let mut seen = BTreeSet::new();
    for direction in [Direction::Request, Direction::Answer] {
        holds(method, direction, left, |way| {
            if let Some((place, message)) = unsaid(way)
                && seen.insert((place.clone(), message))
            {
                findings.warn(&place, message);
            }
            false
        });
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Request,
    Answer,
}

/// Whether a way below the message fits. Where there are too many, the search ends without one.
fn holds(
    method: &MethodDescriptor,
    direction: Direction,
    left: &mut usize,
    mut fits: impl FnMut(&[FieldDescriptor]) -> bool,
) -> bool {
    let message = match direction {
        Direction::Request => method.input(),
        Direction::Answer => method.output(),
    };
    let mut found = false;
    let _ = search(&message, &mut Vec::new(), &mut |way| {
        *left = left.checked_sub(1)?;
        found = fits(way);
        (!found).then_some(())
    });
    found
}

/// Words in the names of fields, and what such a field usually is.
const LOOKS: [(&[&str], Sensitivity, &str); 4] = [
    (
        &["insz", "niss", "rrn", "ssn", "rijksregisternummer", "national_number", "bis_number"],
        Sensitivity::Identifier,
        "it looks like a number that identifies a person: say `sensitivity: SENSITIVITY_IDENTIFIER`, and \
         `third_person: true` where it is another person's",
    ),
    (
        &["street", "house_number", "postal_code", "postcode", "address", "straat", "huisnummer", "adres"],
        Sensitivity::Address,
        "it looks like a part of an address: say `sensitivity: SENSITIVITY_ADDRESS` here or on the message around it",
    ),
    (
        &["photo", "picture", "portrait", "foto", "image"],
        Sensitivity::Photo,
        "it looks like a picture of a person: say `sensitivity: SENSITIVITY_PHOTO`",
    ),
    (
        &[
            "remark",
            "comment",
            "note",
            "memo",
            "description",
            "explanation",
            "motivation",
            "opmerking",
            "toelichting",
            "omschrijving",
            "beschrijving",
            "motivering",
            "free_text",
        ],
        Sensitivity::FreeText,
        "it looks like text that may say anything of anyone: say `sensitivity: SENSITIVITY_FREE_TEXT`",
    ),
];

/// What the last field of a way leaves unsaid, by its own options and by those of all that hold it.
fn unsaid(way: &[FieldDescriptor]) -> Option<(Box<str>, &'static str)> {
    let field = way.last()?;
    let entry = field.parent_message().is_map_entry();
    let place = if entry { way.iter().rev().nth(1)?.full_name() } else { field.full_name() };
    if let Kind::Message(inner) = field.kind() {
        let opaque = field.is_group() || inner.full_name() == "google.protobuf.Any";
        let message = "no instrument can open a group or an Any: give it a message of its own";
        return opaque.then(|| (place.into(), message));
    }
    let rules: Vec<_> = way.iter().map(rule).collect();
    let is = |sensitivity| rules.iter().any(|rule| rule.sensitivity == sensitivity);
    let texts = matches!(field.kind(), Kind::String | Kind::Bytes);
    let name = place.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let looks = LOOKS.iter().find(|(words, _, _)| texts && words.iter().any(|word| has_word(&name, word)));
    // What somebody classified otherwise, they have looked at.
    let classified = way.iter().any(is_classified);
    let subject = rules.last().is_some_and(|rule| rule.subject);
    match looks {
        Some((_, sensitivity, message)) if !is(*sensitivity) && (!classified || subject) => {
            Some((place.into(), message))
        }
        _ if !classified => Some((
            place.into(),
            "nobody said how sensitive it is, and it counts as ordinary: say `sensitivity`, or \
             `[(sluis.options.v1.field) = {}]` where it is ordinary",
        )),
        _ => None,
    }
}

/// Whether a name holds these words as words: `note` stands in `note_of_clerk`, and in `notes`, not in `noted_on`.
fn has_word(name: &str, words: &str) -> bool {
    let plain = |text: &str| format!("_{text}_");
    let name = plain(name);
    name.contains(&plain(words)) || name.contains(&format!("_{words}s_"))
}

#[cfg(test)]
mod tests {
    use super::super::partner::tests::{PERMITS, set};
    use super::*;

    fn found(from: &str, to: &str) -> Vec<String> {
        assert!(PERMITS.contains(from), "{from}");
        let set = set(&PERMITS.replace(from, to), &[]);
        lint(&Vocabulary::embedded().unwrap(), Some("acme"), &set).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_unsaid_is_told_of_each_method_and_field() {
        let method = "acme.permits.v1.Permits.Get";
        let plate = "string plate = 2;";
        for (from, to, place, message) in [
            (
                "rpc Get(Ask) returns (Answer)",
                "rpc Get(Ask) returns (stream Answer)",
                method,
                "streams are not served",
            ),
            ("source: \"acme\" ", "", method, "name the `source`"),
            ("source: \"acme\"", "source: \"housing\"", method, "its `source` is \"housing\""),
            ("manner: MANNER_READ", "", method, "give the `manner`"),
            (
                "Ask { string insz = 1 [(sluis.options.v1.field).subject = true];",
                "Ask { string insz = 1;",
                method,
                "no field of the request is the data subject",
            ),
            (
                "Answer {\n  string insz = 1 [(sluis.options.v1.field).subject = true];",
                "Answer {\n  string insz = 1;",
                method,
                "no field of the answer is the data subject",
            ),
        ] {
            let told = found(from, to);
            let expected = format!("refused: {place}: {message}");
            assert!(told.iter().any(|line| line.starts_with(&expected)), "{expected}: {told:#?}");
        }
        for (field, name, message) in [
            (plate, "plate", "nobody said how sensitive it is"),
            ("repeated string notes = 2;", "notes", "it looks like text"),
            ("string partner_insz = 2;", "partner_insz", "it looks like a number"),
            ("string street = 2;", "street", "it looks like a part of an address"),
            ("bytes photo = 2;", "photo", "it looks like a picture"),
            ("map<string, string> comments = 2;", "comments", "it looks like text"),
        ] {
            let told = found(plate, field);
            let expected = format!("warning: acme.permits.v1.Answer.{name}: {message}");
            assert!(told.iter().any(|line| line.starts_with(&expected)), "{expected}: {told:#?}");
        }
    }

    #[test]
    fn what_somebody_looked_at_is_not_told() {
        for field in [
            "string plate = 2 [(sluis.options.v1.field) = {}];",
            "string note = 2 [(sluis.options.v1.field).sensitivity = SENSITIVITY_FREE_TEXT];",
            "string noted_on = 2 [(sluis.options.v1.field).history = true];",
        ] {
            let told = found("string plate = 2;", field);
            assert!(
                !told.iter().any(|line| line.contains("Answer.plate") || line.contains("Answer.note")),
                "{told:#?}"
            );
        }
    }

    #[test]
    fn a_set_that_cannot_be_read_is_one_finding() {
        let own = Vocabulary::embedded().unwrap();
        for set in [&b"\xff"[..], b""] {
            let told = lint(&own, None, set);
            assert!(matches!(&told[..], [one] if one.refused && one.place.is_empty()), "{told:?}");
        }
    }
}
