//! Everything that a source can say instead of an answer, and what it comes to: one table, from which the wires read
//! their failures and `docs/errors.md` its rows.

use self::Outcome::{Content, Filtered, NotFound};
use self::Sign::{
    BrokeOff, Code, Fault, Grpc, Http, NoConnection, NoGrpc, Silence, Status, TooLarge, Unreadable,
};
use self::SourceError::{
    AnswerInvalid, AnswerTooLarge, BrokenOff, Down, Internal, QuestionMalformed, Refused, SubjectNotRegistered,
    Throttled, TooSlow, Unavailable,
};
use crate::domain::reason::Reason;

/// Why a source gave no answer. Holds nothing that the source wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceError {
    /// It cannot be reached, or says that it is down: it cannot have answered.
    Down,
    /// It broke off, or who stands before it heard nothing of it: it may have seen the question.
    BrokenOff,
    /// Something went wrong at the source, perhaps with this question alone.
    Unavailable,
    /// It did not answer in time.
    TooSlow,
    /// It takes no more questions now.
    Throttled,
    /// It refuses the gateway.
    Refused,
    /// It does not know the person as a client of the requester.
    SubjectNotRegistered,
    /// Its answer is larger than the gateway takes.
    AnswerTooLarge,
    /// Its answer cannot be read.
    AnswerInvalid,
    /// What the caller sent cannot be put in the source's words. It was not asked.
    QuestionMalformed,
    /// The question could not be put.
    Internal,
}

/// What an attempt says of the source itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answers, whatever the answer is worth.
    Answers,
    /// It does not. Enough of these in a row, and it is left alone for a while.
    Fails,
    /// Neither: this question may be the trouble, or it was never put.
    Unclear,
}

impl SourceError {
    /// The same question may be put again: the source cannot have answered it.
    pub const fn retried(self) -> bool {
        matches!(self, Self::Down | Self::Throttled)
    }

    /// What it says of the source. `TooSlow` is the source's fault where it had its whole deadline; how long a caller
    /// waits is no measure of it.
    pub const fn verdict(self, whole_deadline: bool) -> Verdict {
        match self {
            Self::Down | Self::BrokenOff => Verdict::Fails,
            Self::TooSlow if whole_deadline => Verdict::Fails,
            Self::Throttled
            | Self::Refused
            | Self::SubjectNotRegistered
            | Self::AnswerTooLarge
            | Self::AnswerInvalid => Verdict::Answers,
            Self::TooSlow | Self::Unavailable | Self::QuestionMalformed | Self::Internal => Verdict::Unclear,
        }
    }
}

impl From<SourceError> for Reason {
    fn from(error: SourceError) -> Self {
        match error {
            Down | BrokenOff | Unavailable => Self::SourceUnavailable,
            TooSlow => Self::SourceTooSlow,
            Throttled => Self::SourceThrottled,
            Refused => Self::SourceRefused,
            SubjectNotRegistered => Self::SubjectNotRegistered,
            AnswerTooLarge => Self::MessageTooLarge,
            AnswerInvalid => Self::SourceAnswerInvalid,
            QuestionMalformed => Self::RequestMalformed,
            Internal => Self::Internal,
        }
    }
}

/// What an exception or a status leaves of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The content stands.
    Content,
    /// The source has nothing under this number: an answer, not an error.
    NotFound,
    /// The source filtered everything away.
    Filtered,
}

/// Where a condition shows, and by what. In the table `.` stands for any character and `*` for any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign<'a> {
    /// No connection could be opened, or the question was never sent on it.
    NoConnection,
    /// The connection or the stream ended before the answer did.
    BrokeOff,
    /// The deadline passed.
    Silence,
    /// More bytes than the gateway takes.
    TooLarge,
    /// Bytes that are no answer.
    Unreadable,
    /// A status of HTTP other than 200, from a source that speaks SOAP.
    Http(&'a str),
    /// The same, where gRPC was to come.
    NoGrpc(&'a str),
    /// A status of gRPC.
    Grpc(&'a str),
    /// A SOAP Fault of MAGDA's platform, by a phrase of its text.
    Fault(&'a str),
    /// The five digits of an `Uitzondering`, of `Repliek` or `Antwoord`, or in a Fault.
    Code(&'a str),
    /// The Crossroads Bank's own status, under MAGDA's 70001 or 70002.
    Status(&'a str),
}

impl Sign<'_> {
    fn fits(&self, seen: &Sign<'_>) -> bool {
        let same = |row: &str, seen: &str| {
            row == "*"
                || row.len() == seen.len() && row.bytes().zip(seen.bytes()).all(|(r, s)| r == b'.' || r == s)
        };
        match (self, seen) {
            (Http(row), Http(seen))
            | (NoGrpc(row), NoGrpc(seen))
            | (Grpc(row), Grpc(seen))
            | (Code(row), Code(seen))
            | (Status(row), Status(seen)) => same(row, seen),
            (Fault(row), Fault(seen)) => *row == "*" || seen.contains(row),
            (row, seen) => row == seen,
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// By what it shows.
    pub sign: Sign<'static>,
    /// What it comes to: an answer, or none.
    pub means: Result<Outcome, SourceError>,
    /// What it is, for people.
    pub what: &'static str,
}

/// What a sign means; the first row that fits. `None`: the table does not know it.
pub fn meaning(seen: Sign<'_>) -> Option<Result<Outcome, SourceError>> {
    CONDITIONS.iter().find(|row| row.sign.fits(&seen)).map(|row| row.means)
}

/// What a sign means that is no answer. One that the table does not know, or that belongs to an answer which is not
/// there, is an answer that cannot be read.
pub fn failure(seen: Sign<'_>) -> SourceError {
    meaning(seen).and_then(Result::err).unwrap_or(AnswerInvalid)
}

const fn answer(sign: Sign<'static>, outcome: Outcome, what: &'static str) -> Condition {
    Condition { sign, means: Ok(outcome), what }
}

const fn none(sign: Sign<'static>, error: SourceError, what: &'static str) -> Condition {
    Condition { sign, means: Err(error), what }
}

/// All conditions, the particular before the general. MAGDA's codes as Digitaal Vlaanderen and MAGDA-Mock list them.
pub const CONDITIONS: [Condition; 69] = [
    none(NoConnection, Down, "no connection, or the question was never sent on one"),
    none(BrokeOff, BrokenOff, "the connection or the stream ended before the answer did"),
    none(Silence, TooSlow, "no answer within the deadline"),
    none(TooLarge, AnswerTooLarge, "more bytes than `limits.answer_bytes`"),
    none(Unreadable, AnswerInvalid, "bytes that are no answer"),
    none(Http("429"), Throttled, "too many requests"),
    none(Http("503"), Down, "service unavailable"),
    none(Http("502"), BrokenOff, "bad gateway"),
    none(Http("504"), BrokenOff, "gateway timeout"),
    none(Http("5.."), Unavailable, "a server's error that its body does not explain"),
    none(Http("4.."), Refused, "a client's error"),
    none(Http("*"), AnswerInvalid, "any other status but 200"),
    none(NoGrpc("429"), Throttled, "too many requests"),
    none(NoGrpc("503"), Down, "service unavailable"),
    none(NoGrpc("502"), BrokenOff, "bad gateway"),
    none(NoGrpc("504"), BrokenOff, "gateway timeout"),
    none(NoGrpc("*"), Unavailable, "any other status but 200: whoever stands there does not speak gRPC"),
    answer(Grpc("5"), NotFound, "NOT_FOUND"),
    none(Grpc("4"), TooSlow, "DEADLINE_EXCEEDED"),
    none(Grpc("7"), Refused, "PERMISSION_DENIED"),
    none(Grpc("16"), Refused, "UNAUTHENTICATED"),
    none(Grpc("8"), Throttled, "RESOURCE_EXHAUSTED"),
    none(Grpc("14"), Down, "UNAVAILABLE"),
    none(Grpc("*"), AnswerInvalid, "any other status, or OK without a message"),
    none(Fault("max throttle rate"), Throttled, "the platform's throttle, in words"),
    none(Fault("Te veel gelijktijdige bevragingen"), Throttled, "the same"),
    none(Fault("*"), Unavailable, "a Fault without a code that stands below"),
    answer(Code("30001"), NotFound, "no data"),
    answer(Code("30002"), NotFound, "number cancelled"),
    answer(Code("30003"), NotFound, "number does not exist"),
    answer(Code("15021"), Filtered, "the source filtered everything away"),
    answer(Code("30004"), Content, "number replaced"),
    answer(Code("30030"), Content, "truncated"),
    answer(Code("30040"), Content, "there is more"),
    answer(Code("30042"), Content, "one occurrence of several"),
    answer(Code("40143"), Content, "registered already"),
    answer(Code("48181"), Content, "fictitious address"),
    answer(Code("99984"), Content, "a code without description"),
    none(Code("40003"), SubjectNotRegistered, "no inscription for this number"),
    none(Code("13202"), SubjectNotRegistered, "no personal file registered"),
    none(Code("40001"), Refused, "no valid legal context"),
    none(Code("40005"), Refused, "access refused"),
    none(Code("40006"), Refused, "error in the authorisation"),
    none(Code("99995"), Throttled, "too many questions at once"),
    none(Code("99996"), Down, "source temporarily unavailable"),
    none(Code("99997"), Down, "backend cannot be reached"),
    none(Code("60006"), BrokenOff, "no answer of the source behind the platform"),
    none(Code("60009"), Unavailable, "internal error"),
    none(Code("60011"), Unavailable, "parameters missing at the platform"),
    none(Code("60013"), Unavailable, "access to the source failed"),
    none(Code("70003"), Unavailable, "SOAP Fault of the Crossroads Bank"),
    none(Code("99994"), Unavailable, "unexpected error at the source"),
    none(Code("60003"), AnswerInvalid, "the source's answer has the wrong form"),
    none(Code("60007"), AnswerInvalid, "the source's answer cannot be read"),
    // The form of the question, down to the structure of a number that was checked here.
    none(Code("20..."), Internal, "the form of the question"),
    answer(Status("MSG00000"), Content, "done"),
    answer(Status("HAN20200"), Content, "not all sources were consulted"),
    answer(Status("SSH00047"), Content, "anomalies in the household"),
    answer(Status("MSG00100"), NotFound, "no data at the supplier"),
    answer(Status("MSG00009"), NotFound, "person deceased"),
    answer(Status("MSG00021"), NotFound, "not integrated for the supplier"),
    answer(Status("MSG00005"), NotFound, "number does not exist"),
    answer(Status("MSG00006"), NotFound, "number replaced"),
    none(Status("MSG00012"), SubjectNotRegistered, "not integrated for the requester"),
    none(Status("MSG00013"), Refused, "not allowed under this legal context"),
    none(Status("MSG00008"), Internal, "invalid data in the question"),
    none(Status("MSG00011"), Internal, "structure of the number"),
    none(Status("MSG00003"), Unavailable, "internal error of the Crossroads Bank"),
    none(Status("*"), AnswerInvalid, "any other status"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_reached_and_the_particular_outweighs_the_general() {
        for (index, row) in CONDITIONS.iter().enumerate() {
            // A text that the pattern stands for, and that is no other row's.
            let text = |pattern: &str| pattern.replace('.', "1").replace('*', "777");
            let found = |sign: Sign<'_>| CONDITIONS.iter().position(|other| other.sign.fits(&sign));
            let found = match row.sign {
                Http(pattern) => found(Http(&text(pattern))),
                NoGrpc(pattern) => found(NoGrpc(&text(pattern))),
                Grpc(pattern) => found(Grpc(&text(pattern))),
                Fault(pattern) => found(Fault(&format!("Exceeded the {} of 10", text(pattern)))),
                Code(pattern) => found(Code(&text(pattern))),
                Status(pattern) => found(Status(&text(pattern))),
                sign => found(sign),
            };
            assert_eq!(found, Some(index), "{:?}", row.sign);
        }
        assert_eq!(
            (failure(Http("503")), failure(Http("500")), failure(Http("302"))),
            (Down, Unavailable, AnswerInvalid)
        );
        assert_eq!((meaning(Code("45700")), failure(Code("45700"))), (None, AnswerInvalid));
        assert_eq!((meaning(Code("200001")), meaning(Code(""))), (None, None), "codes have five digits");
        assert_eq!(failure(Code("30001")), AnswerInvalid, "an answer that is not there");
    }

    #[test]
    fn what_may_have_been_answered_is_not_asked_again_and_who_answers_is_no_outage() {
        for (error, retried, verdict) in [
            (Down, true, Verdict::Fails),
            (BrokenOff, false, Verdict::Fails),
            (Unavailable, false, Verdict::Unclear),
            (TooSlow, false, Verdict::Fails),
            (Throttled, true, Verdict::Answers),
            (Refused, false, Verdict::Answers),
            (SubjectNotRegistered, false, Verdict::Answers),
            (AnswerTooLarge, false, Verdict::Answers),
            (AnswerInvalid, false, Verdict::Answers),
            (QuestionMalformed, false, Verdict::Unclear),
            (Internal, false, Verdict::Unclear),
        ] {
            assert_eq!((error.retried(), error.verdict(true)), (retried, verdict), "{error:?}");
        }
        assert_eq!(TooSlow.verdict(false), Verdict::Unclear);
    }
}
