//! The question, parsed: complete by construction. Inside the gateway there are no strings left to check.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;

use super::party::{Organisation, Role, SystemName};
use super::reason::{Denial, Reason};
use super::subject::{Insz, InszRules, holds_insz};
use super::vocabulary::Method;

/// The most characters in a name, a case reference or a request id.
pub const MAX_REFERENCE: usize = 64;
/// The most fields that a caller may name in `sluis-fields`.
pub const MAX_FIELDS: usize = 256;
/// The most bytes of all of them together: an entry names them, and has room for 64 KiB.
pub const MAX_FIELDS_BYTES: usize = 32 * 1024;

const NO_REFERENCE: &str =
    "it must stand once, with 1 to 64 characters A-Z a-z 0-9 . _ : / -, and hold nobody's INSZ";
const NO_PATHS: &str = "it must stand once, with at most 256 paths of fields joined by commas";

/// Who asks: the organisation by its registered key, the end user by its token.
#[derive(Clone)]
pub struct Caller {
    /// The controller whose right decides.
    pub requester: Arc<Organisation>,
    /// The organisation that asks on the controller's behalf, where it is another.
    pub processor: Option<Arc<Organisation>>,
    /// The name of the system, as registered.
    pub system: SystemName,
    /// SHA-256 of the public key that the system showed.
    pub key: [u8; 32],
    /// The person or batch process behind the call. A personal datum.
    pub end_user: Arc<str>,
    /// The issuer that says so.
    pub asserted_by: Arc<str>,
    /// Hash of the registry by which all of this holds.
    pub registry: [u8; 32],
}

impl Caller {
    /// Whether its own key is that of an auditor. A processor's is not: it is registered to ask for somebody, not to
    /// read who asked what.
    pub fn is_auditor(&self) -> bool {
        self.processor.is_none() && self.requester.has(Role::Auditor)
    }

    /// Whether both are the same organisations and system, by what the registry says of them now.
    pub fn is_same_party(&self, other: &Self) -> bool {
        let parties = |caller: &Self| {
            let processor = caller.processor.as_ref().map(|processor| processor.key());
            (caller.requester.key(), processor)
        };
        parties(self) == parties(other) && self.system == other.system
    }
}

/// The metadata of a call, as received.
#[derive(Clone, Default)]
pub struct Metadata {
    /// `sluis-protocol`: the instrument that the caller relies on.
    pub protocol: Option<Box<str>>,
    /// `sluis-purpose`: the purpose under it.
    pub purpose: Option<Box<str>>,
    /// `sluis-case`: the case that the question belongs to.
    pub case: Option<Box<str>>,
    /// `sluis-fields`: paths that the caller limits itself to, joined by commas.
    pub fields: Option<Box<str>>,
    /// `sluis-request-id`: the caller's own name for the call.
    pub request_id: Option<Box<str>>,
    /// The trace that the caller is in (W3C trace context), 32 hexadecimal digits.
    pub trace_id: Option<Box<str>>,
}

/// A case reference: 1 to 64 of `A-Z a-z 0-9 . _ : / -`, holding no INSZ.
#[derive(Clone, PartialEq, Eq)]
pub struct Case(Box<str>);

impl Case {
    /// Parses a reference. `today` bounds what counts as somebody's number.
    ///
    /// # Errors
    /// [`Reason::CaseMalformed`].
    pub fn parse(text: &str, today: Date) -> Result<Self, Denial> {
        if is_reference(text) && !holds_insz(text, today) {
            Ok(Self(text.into()))
        } else {
            Err(Denial::field(Reason::CaseMalformed, "sluis-case").because(NO_REFERENCE))
        }
    }

    /// The reference as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Case(..)")
    }
}

/// A question of one caller about one person, for one purpose under one instrument.
pub struct ExchangeRequest {
    /// Who asks.
    pub caller: Caller,
    /// When the gateway received it.
    pub asked_at: Timestamp,
    /// What is asked.
    pub method: Arc<Method>,
    /// The instrument relied on.
    pub protocol: Box<str>,
    /// The purpose under it.
    pub purpose: Box<str>,
    /// The case it belongs to.
    pub case: Case,
    /// The paths that the caller limits itself to; `None`: all that the purpose declares.
    pub fields: Option<Vec<Box<str>>>,
    /// The caller's own name for the call.
    pub request_id: Option<Box<str>>,
    /// The trace that the caller is in.
    pub trace_id: Option<Box<str>>,
    /// Whom it is about.
    pub subject: Insz,
    /// The request message, as received.
    pub body: Bytes,
    /// SHA-256 of the request message.
    pub digest: [u8; 32],
}

/// What the gateway received, before it is a question.
pub struct Call<'a> {
    /// When.
    pub asked_at: Timestamp,
    /// What is asked.
    pub method: &'a Arc<Method>,
    /// The metadata.
    pub metadata: &'a Metadata,
    /// The value of the request's subject field; `None` where it is absent.
    pub subject: Option<&'a str>,
    /// The request message.
    pub body: &'a Bytes,
    /// SHA-256 of the request message.
    pub digest: [u8; 32],
}

impl ExchangeRequest {
    /// Parses a call. Metadata is judged before the subject, so that what is wrong is told in the order
    /// in which a caller writes it.
    ///
    /// # Errors
    /// The first part that is malformed.
    pub fn parse(caller: &Caller, call: &Call<'_>, rules: InszRules) -> Result<Self, Denial> {
        let Call { asked_at, method, metadata, subject, body, digest } = *call;
        let name = |key: &'static str, text: &Option<Box<str>>| match text {
            Some(text) if is_reference(text) => Ok(text.clone()),
            _ => Err(Denial::field(Reason::RequestMalformed, key).because(NO_REFERENCE)),
        };
        let protocol = name("sluis-protocol", &metadata.protocol)?;
        let purpose = name("sluis-purpose", &metadata.purpose)?;
        let case = Case::parse(metadata.case.as_deref().unwrap_or_default(), rules.today)?;
        let request_id = match &metadata.request_id {
            Some(id) if is_reference(id) && !holds_insz(id, rules.today) => Some(id.clone()),
            Some(_) => {
                return Err(Denial::field(Reason::RequestMalformed, "sluis-request-id").because(NO_REFERENCE));
            }
            None => None,
        };
        let fields = metadata.fields.as_deref().map(|text| parse_fields(text, rules.today)).transpose()?;
        let subject = Insz::parse(subject.unwrap_or_default(), rules).map_err(|error| {
            Denial::field(Reason::SubjectMalformed, &*method.subject_path).because(error.rule())
        })?;
        Ok(Self {
            caller: caller.clone(),
            asked_at,
            method: Arc::clone(method),
            protocol,
            purpose,
            case,
            fields,
            request_id,
            trace_id: metadata.trace_id.clone(),
            subject,
            body: body.clone(),
            digest,
        })
    }
}

/// 1 to 64 characters of `A-Z a-z 0-9 . _ : / -`.
pub fn is_reference(text: &str) -> bool {
    (1..=MAX_REFERENCE).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b))
}

fn parse_fields(text: &str, today: Date) -> Result<Vec<Box<str>>, Denial> {
    let fields: Vec<Box<str>> = text.split(',').map(|path| path.trim().into()).collect();
    let well_formed = fields.len() <= MAX_FIELDS
        && text.len() <= MAX_FIELDS_BYTES
        && fields.iter().all(|path| {
            !path.is_empty()
                && path.len() <= 256
                && path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
                && !holds_insz(path, today)
        });
    if well_formed {
        Ok(fields)
    } else {
        Err(Denial::field(Reason::RequestMalformed, "sluis-fields").because(NO_PATHS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = jiff::civil::date(2026, 11, 22);

    #[test]
    fn a_case_reference_is_short_plain_and_nobodys_number() {
        for (text, good) in [
            ("PV-2026/000123", true),
            ("a", true),
            ("", false),
            ("with space", false),
            ("85673003360", false),
            ("case:85.67.30-033.60", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
            ("émile", false),
        ] {
            assert_eq!(Case::parse(text, TODAY).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_field_mask_is_paths_joined_by_commas() {
        for (text, good) in [
            ("person.name, person.birth.date", true),
            ("person", true),
            ("", false),
            ("person,,name", false),
            ("person.*", false),
            ("person.x85673003360", false),
            (&vec!["x".repeat(100); 256].join(","), true),
            (&vec!["x".repeat(200); 256].join(","), false),
        ] {
            assert_eq!(parse_fields(text, TODAY).is_ok(), good, "{text}");
        }
    }
}
