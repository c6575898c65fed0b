//! Refusals, each held against what its reason promises; and what must stand in none of them.

use std::collections::{HashMap, HashSet};

use sluis::cli::client::{Refusal, Reply};
use sluis::domain::reason::Reason;
use sluis::proto::audit::{Disclosure, Kind, ListDisclosuresRequest};
use sluis::sandbox::{self, UNDECLARED};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{REPLACED, World};

/// The codes of the design's table of errors.
const CODES: [(Code, &[Reason]); 12] = [
    (Code::Unauthenticated, &[Reason::CertificateRevoked, Reason::CallerNotRegistered, Reason::TokenRejected]),
    (Code::InvalidArgument, &[Reason::RequestMalformed, Reason::SubjectMalformed, Reason::CaseMalformed]),
    (Code::NotFound, &[Reason::ProtocolUnknown, Reason::PurposeUnknown]),
    (Code::Unimplemented, &[Reason::MethodUnknown]),
    (Code::FailedPrecondition, &[Reason::ProtocolNotInForce, Reason::SubjectNotRegistered]),
    (
        Code::PermissionDenied,
        &[
            Reason::AuditorOnly,
            Reason::RequesterNotParty,
            Reason::PurposeNotCovered,
            Reason::FieldsNotCovered,
            Reason::SourceRefused,
        ],
    ),
    (Code::ResourceExhausted, &[Reason::SourceThrottled, Reason::MessageTooLarge]),
    (Code::Unavailable, &[Reason::SourceUnavailable, Reason::DisclosureLogUnavailable]),
    (Code::DataLoss, &[Reason::DisclosureLogDamaged]),
    (Code::DeadlineExceeded, &[Reason::SourceTooSlow]),
    (Code::Cancelled, &[Reason::Cancelled]),
    (Code::Internal, &[Reason::SourceAnswerInvalid, Reason::Internal]),
];

/// Refused by the text of an instrument in force: the entry says which.
const BY_TEXT: [Reason; 3] = [Reason::PurposeUnknown, Reason::PurposeNotCovered, Reason::FieldsNotCovered];
/// Each stands for several rules, and says which was broken.
const CAUSED: [Reason; 3] = [Reason::TokenRejected, Reason::SubjectMalformed, Reason::CaseMalformed];
/// Reasons after which the same call may work a moment later.
const PASSING: [Reason; 3] =
    [Reason::SourceUnavailable, Reason::DisclosureLogUnavailable, Reason::SourceThrottled];

pub fn code(reason: Reason) -> Code {
    CODES.iter().find(|(_, reasons)| reasons.contains(&reason)).unwrap().0
}

/// What may stand in no refusal, log of operation or metric: numbers and names of people, what sources say undeclared,
/// and end users.
pub fn secrets() -> Vec<String> {
    let people = sandbox::list().unwrap();
    let mut secrets: Vec<String> = people.iter().map(|person| person.insz.clone()).collect();
    // The names of those who mean trouble are words of the trouble.
    let named = people.iter().filter(|person| sandbox::Trouble::of(&person.insz).is_none());
    let words = named.flat_map(|person| person.name.split(' ')).filter(|word| word.len() > 3);
    secrets.extend(words.map(str::to_owned));
    secrets.extend([REPLACED, UNDECLARED, "someone@", "Hopplukkersstraat"].map(str::to_owned));
    secrets
}

/// Finds a secret in a text.
pub fn betrayed<'s>(secrets: &'s [String], text: &str) -> Option<&'s str> {
    secrets.iter().find(|secret| text.contains(secret.as_str())).map(String::as_str)
}

/// What an entry records, as the vocabulary names it.
pub fn kind_of(entry: &Disclosure) -> &'static str {
    entry.kind().as_str_name()
}

/// What must be in the log after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// Nothing: the caller is a stranger, or the log takes nothing.
    Nothing,
    /// A refusal before anyone was asked.
    Refused,
    /// A question that was asked and got no usable answer.
    Failed,
    /// A question that was asked, and whose answer may not be released.
    Denied,
}

/// The refusals that were met.
pub struct Walk {
    pub seen: HashSet<Reason>,
    secrets: Vec<String>,
    entries: Vec<(String, u64, Reason, Logged, String)>,
}

impl Walk {
    pub fn new() -> Self {
        Self { seen: HashSet::new(), secrets: secrets(), entries: Vec::new() }
    }

    /// Holds the outcome of a call against the reason that it must give.
    pub fn meet(
        &mut self,
        what: impl Into<String>,
        outcome: Result<Reply, Box<Refusal>>,
        reason: Reason,
        logged: Logged,
    ) -> Box<Refusal> {
        let what = what.into();
        let Err(refusal) = outcome else { panic!("{what}: released") };
        assert_eq!(refusal.reason.as_deref(), Some(reason.name()), "{what}: {:?}", refusal.status);
        assert_eq!(refusal.status.code(), code(reason), "{what}");
        let details = refusal.status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.domain, "sluis", "{what}");
        assert_eq!(info.metadata["remedy"], reason.remedy(), "{what}");
        assert_eq!(refusal.status.message(), reason.remedy(), "{what}: the message is constant");
        let indexed = info.metadata.get("log_index").map(|index| index.parse::<u64>().unwrap());
        assert_eq!(indexed, refusal.log_index, "{what}");
        assert_eq!(refusal.log_index.is_none(), logged == Logged::Nothing, "{what}");
        assert_eq!(info.metadata.contains_key("entry_id"), logged != Logged::Nothing, "{what}");
        assert_eq!(details.retry_info().is_some(), PASSING.contains(&reason), "{what}");
        let violations = details.bad_request().map_or(0, |bad| bad.field_violations.len());
        assert_eq!(violations, usize::from(info.metadata.contains_key("field")), "{what}");
        let cause = info.metadata.get("cause").cloned();
        assert!(cause.is_some() || !CAUSED.contains(&reason), "{what}: which rule?");
        self.is_silent(&what, &refusal);
        if let Some(index) = refusal.log_index {
            self.entries.push((what, index, reason, logged, cause.unwrap_or_default()));
        }
        self.seen.insert(reason);
        refusal
    }

    /// Nothing of a person stands anywhere in it, plainly or within its binary details.
    fn is_silent(&self, what: &str, refusal: &Refusal) {
        let status = &refusal.status;
        let details = String::from_utf8_lossy(status.details());
        let all = format!("{status:?} {:?} {:?} {details}", refusal.headers, status.metadata());
        assert_eq!(betrayed(&self.secrets, &all), None, "{what}: {all}");
    }

    /// Each refusal has the entry that it named, and no other entry refuses or fails.
    pub async fn hold_against_log(&mut self, world: &World) {
        let entries = world.entries(ListDisclosuresRequest::default()).await;
        let found: HashMap<u64, &Disclosure> = entries.iter().map(|entry| (entry.index, entry)).collect();
        for (what, index, reason, logged, cause) in &self.entries {
            let entry = found[index];
            let kind = if *logged == Logged::Failed { "KIND_FAILED" } else { "KIND_REFUSED" };
            assert_eq!((kind_of(entry), entry.outcome.as_str()), (kind, reason.name()), "{what}");
            assert!(entry.fields_released.is_empty() && entry.response_digest.is_empty(), "{what}");
            assert_eq!(entry.detail, *cause, "{what}");
            if BY_TEXT.contains(reason) {
                assert!(!entry.instrument_version.is_empty() && entry.instrument_hash.len() == 64, "{what}");
                assert_eq!(entry.legal_basis.is_empty(), *reason == Reason::PurposeUnknown, "{what}");
            }
            assert!(!entry.requester.is_empty() && !entry.system.is_empty(), "{what}");
            let asked = entry.asked.map(|asked| kind_of(found[&asked]));
            let expected = matches!(logged, Logged::Failed | Logged::Denied).then_some("KIND_ASKED");
            assert_eq!(asked, expected, "{what}");
        }
        let closings = entries.iter().filter(|entry| matches!(entry.kind(), Kind::Refused | Kind::Failed));
        assert_eq!(closings.count(), self.entries.len());
        self.entries.clear();
    }
}
