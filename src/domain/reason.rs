//! Why nothing is released: one closed list, and the denial that carries it.

use std::fmt;
use std::time::Duration;

/// Why a call is refused or an exchange fails. The names are part of the API
/// (`google.rpc.ErrorInfo.reason`) and of the log: never renamed, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The caller's certificate was revoked, perhaps during a long connection.
    CertificateRevoked,
    /// The caller's key is not in the registry.
    CallerNotRegistered,
    /// The bearer token is absent, expired, not bound to this client or not signed by its issuer.
    TokenRejected,
    /// The request cannot be read: metadata missing, or bytes that are no message.
    RequestMalformed,
    /// The identifier of the data subject breaks a rule of its number.
    SubjectMalformed,
    /// The case reference is absent, malformed, or holds an INSZ.
    CaseMalformed,
    /// No instrument of that name is in the catalogue.
    ProtocolUnknown,
    /// The instrument has no such purpose.
    PurposeUnknown,
    /// No method of that name is served.
    MethodUnknown,
    /// The instrument is expired, superseded, not yet in force, or closed by an error.
    ProtocolNotInForce,
    /// The source does not know the data subject as a client of the requester.
    SubjectNotRegistered,
    /// Only an auditor may ask the log.
    AuditorOnly,
    /// The requester is no recipient under the instrument.
    RequesterNotParty,
    /// The purpose does not open this method to this requester.
    PurposeNotCovered,
    /// A field was sent or asked for that the purpose does not declare.
    FieldsNotCovered,
    /// The source refused the question.
    SourceRefused,
    /// The source answers too many questions at once.
    SourceThrottled,
    /// A message is larger than the gateway takes.
    MessageTooLarge,
    /// The source cannot be reached or reports that it is down.
    SourceUnavailable,
    /// The log cannot take the entry, so nothing leaves.
    DisclosureLogUnavailable,
    /// The log that an auditor asks lacks an entry, or one is not what was written.
    DisclosureLogDamaged,
    /// The source did not answer within the deadline.
    SourceTooSlow,
    /// The caller went away.
    Cancelled,
    /// The source's answer cannot be read, or is about someone else.
    SourceAnswerInvalid,
    /// A fault of the gateway's own.
    Internal,
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 25] = [
        Self::CertificateRevoked,
        Self::CallerNotRegistered,
        Self::TokenRejected,
        Self::RequestMalformed,
        Self::SubjectMalformed,
        Self::CaseMalformed,
        Self::ProtocolUnknown,
        Self::PurposeUnknown,
        Self::MethodUnknown,
        Self::ProtocolNotInForce,
        Self::SubjectNotRegistered,
        Self::AuditorOnly,
        Self::RequesterNotParty,
        Self::PurposeNotCovered,
        Self::FieldsNotCovered,
        Self::SourceRefused,
        Self::SourceThrottled,
        Self::MessageTooLarge,
        Self::SourceUnavailable,
        Self::DisclosureLogUnavailable,
        Self::DisclosureLogDamaged,
        Self::SourceTooSlow,
        Self::Cancelled,
        Self::SourceAnswerInvalid,
        Self::Internal,
    ];

    /// The stable name, as in the API and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CertificateRevoked => "CERTIFICATE_REVOKED",
            Self::CallerNotRegistered => "CALLER_NOT_REGISTERED",
            Self::TokenRejected => "TOKEN_REJECTED",
            Self::RequestMalformed => "REQUEST_MALFORMED",
            Self::SubjectMalformed => "SUBJECT_MALFORMED",
            Self::CaseMalformed => "CASE_MALFORMED",
            Self::ProtocolUnknown => "PROTOCOL_UNKNOWN",
            Self::PurposeUnknown => "PURPOSE_UNKNOWN",
            Self::MethodUnknown => "METHOD_UNKNOWN",
            Self::ProtocolNotInForce => "PROTOCOL_NOT_IN_FORCE",
            Self::SubjectNotRegistered => "SUBJECT_NOT_REGISTERED",
            Self::AuditorOnly => "AUDITOR_ONLY",
            Self::RequesterNotParty => "REQUESTER_NOT_PARTY",
            Self::PurposeNotCovered => "PURPOSE_NOT_COVERED",
            Self::FieldsNotCovered => "FIELDS_NOT_COVERED",
            Self::SourceRefused => "SOURCE_REFUSED",
            Self::SourceThrottled => "SOURCE_THROTTLED",
            Self::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Self::SourceUnavailable => "SOURCE_UNAVAILABLE",
            Self::DisclosureLogUnavailable => "DISCLOSURE_LOG_UNAVAILABLE",
            Self::DisclosureLogDamaged => "DISCLOSURE_LOG_DAMAGED",
            Self::SourceTooSlow => "SOURCE_TOO_SLOW",
            Self::Cancelled => "CANCELLED",
            Self::SourceAnswerInvalid => "SOURCE_ANSWER_INVALID",
            Self::Internal => "INTERNAL",
        }
    }

    /// What the caller can do about it. Constant: it holds nothing of the call.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::CertificateRevoked => "ask your certification authority for a new certificate",
            Self::CallerNotRegistered => {
                "have the gateway's operator register the public key of your certificate"
            }
            Self::TokenRejected => {
                "send a fresh token of your organisation's issuer, bound to your certificate"
            }
            Self::RequestMalformed => {
                "send metadata in its form, each key once, and one message of the method's type"
            }
            Self::SubjectMalformed => "check the eleven digits of the INSZ",
            Self::CaseMalformed => {
                "send a case reference of 1 to 64 characters A-Z a-z 0-9 . _ : / - that holds no INSZ"
            }
            Self::ProtocolUnknown => "name an instrument of the published catalogue",
            Self::PurposeUnknown => "name a purpose that the instrument declares",
            Self::MethodUnknown => "call a method that the gateway serves",
            Self::ProtocolNotInForce => "rely on an instrument that is in force today",
            Self::SubjectNotRegistered => {
                "register the person as your client in the source's reference repertory first"
            }
            Self::AuditorOnly => "ask with a key that the registry names as auditor",
            Self::RequesterNotParty => "rely on an instrument to which your organisation is a party",
            Self::PurposeNotCovered => "call a method that the instrument opens for this purpose",
            Self::FieldsNotCovered => "leave the field out, or rely on a purpose that declares it",
            Self::SourceRefused => "have the operator check the rights of the gateway at the source",
            Self::SourceThrottled => "try again later, and more slowly",
            Self::MessageTooLarge => "send a smaller message",
            Self::SourceUnavailable | Self::DisclosureLogUnavailable => "try again later",
            Self::DisclosureLogDamaged => {
                "have the operator keep the log as it is and run sluis log verify: an entry is missing or altered"
            }
            Self::SourceTooSlow => "try again, with a longer deadline",
            Self::Cancelled => "nothing was released; ask again if you still need to know",
            Self::SourceAnswerInvalid | Self::Internal => "tell the gateway's operator the log index",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rule that bytes break which are no message.
pub const NO_MESSAGE: &str = "the message is none of the method's type";

/// A refusal with its reason and, where one field or metadata key is at fault, which. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The field of a message, or the key of the metadata, that is at fault.
    pub field: Option<Box<str>>,
    /// The article or paragraph of the instrument that is silent about it, or what closed the instrument.
    pub article: Option<Box<str>>,
    /// When the call may be worth another try, where that is known.
    pub after: Option<Duration>,
    /// The rule that was broken, where the reason stands for several. Constant.
    pub cause: Option<&'static str>,
}

impl Denial {
    /// A denial that speaks of a field.
    pub fn field(reason: Reason, path: impl Into<Box<str>>) -> Self {
        Self { field: Some(path.into()), ..reason.into() }
    }

    /// The same denial, with the rule that was broken.
    #[must_use]
    pub fn because(mut self, cause: &'static str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// The same denial, citing what it rests on.
    #[must_use]
    pub fn citing(mut self, article: impl Into<Box<str>>) -> Self {
        self.article = Some(article.into());
        self
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self { reason, field: None, article: None, cause: None, after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_in_the_form_of_google_rpc() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
    }
}
