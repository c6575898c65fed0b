//! The only mapping from a reason to gRPC. Messages are constant; what a refusal says beyond them are published
//! words, field names and the log index: never a value, never what a source wrote.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::disclosure::{About, Receipt, Refused};
use crate::domain::reason::{Denial, Reason};

/// `google.rpc.ErrorInfo.domain`.
pub const DOMAIN: &str = "sluis";

/// How long a caller had better wait before it tries again, where nothing better is known.
const RETRY: Duration = Duration::from_secs(1);

/// The status code of a reason (design: the table of errors).
pub const fn code(reason: Reason) -> Code {
    match reason {
        Reason::CertificateRevoked | Reason::CallerNotRegistered | Reason::TokenRejected => {
            Code::Unauthenticated
        }
        Reason::RequestMalformed | Reason::SubjectMalformed | Reason::CaseMalformed => Code::InvalidArgument,
        Reason::ProtocolUnknown | Reason::PurposeUnknown => Code::NotFound,
        Reason::MethodUnknown => Code::Unimplemented,
        Reason::ProtocolNotInForce | Reason::SubjectNotRegistered => Code::FailedPrecondition,
        Reason::AuditorOnly
        | Reason::RequesterNotParty
        | Reason::PurposeNotCovered
        | Reason::FieldsNotCovered
        | Reason::SourceRefused => Code::PermissionDenied,
        Reason::SourceThrottled | Reason::MessageTooLarge => Code::ResourceExhausted,
        Reason::SourceUnavailable | Reason::DisclosureLogUnavailable => Code::Unavailable,
        Reason::DisclosureLogDamaged => Code::DataLoss,
        Reason::SourceTooSlow => Code::DeadlineExceeded,
        Reason::Cancelled => Code::Cancelled,
        Reason::SourceAnswerInvalid | Reason::Internal => Code::Internal,
    }
}

/// The status of a refusal.
pub fn status(refused: &Refused) -> Status {
    tell(refused.denial(), refused.about(), refused.damaged(), refused.receipt())
}

fn tell(denial: &Denial, words: Option<&About>, damaged: Option<u64>, receipt: Option<&Receipt>) -> Status {
    let mut about = HashMap::from([("remedy".to_owned(), denial.reason.remedy().to_owned())]);
    let mut say = |key: &str, text: Option<String>| {
        if let Some(text) = text {
            about.insert(key.to_owned(), text);
        }
    };
    say("protocol", words.map(|words| words.protocol.to_string()));
    say("purpose", words.map(|words| words.purpose.to_string()));
    say("field", denial.field.as_deref().map(str::to_owned));
    say("cause", denial.cause.map(str::to_owned));
    say("article", denial.article.as_deref().map(str::to_owned));
    say("damaged_entry", damaged.map(|index| index.to_string()));
    say("log_index", receipt.map(|receipt| receipt.index.to_string()));
    say("entry_id", receipt.map(|receipt| receipt.entry_id.to_string()));

    let code = code(denial.reason);
    let mut details = ErrorDetails::new();
    details.set_error_info(denial.reason.name(), DOMAIN, about);
    if let (Code::InvalidArgument | Code::PermissionDenied, Some(field)) = (code, &denial.field) {
        details.add_bad_request_violation(&**field, denial.cause.unwrap_or(denial.reason.remedy()));
    }
    if matches!(
        denial.reason,
        Reason::SourceUnavailable | Reason::DisclosureLogUnavailable | Reason::SourceThrottled
    ) {
        details.set_retry_info(Some(denial.after.unwrap_or(RETRY)));
    }
    Status::with_error_details(code, denial.reason.remedy(), details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_and_says_what_to_mend() {
        for reason in Reason::ALL {
            let status = tell(&reason.into(), None, None, None);
            assert_ne!(status.code(), Code::Ok, "{reason}");
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((&*info.reason, &*info.domain), (reason.name(), DOMAIN));
            assert_eq!(info.metadata["remedy"], status.message());
        }
    }
}
