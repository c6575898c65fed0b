//! What each entry of an exchange says: the columns of its record.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::entry::Kind;
use super::known::Known;
use super::log::Receipt;
use super::record::{Column, Record, RecordBuilder};
use super::seal::Draft;
use crate::domain::decide::Permit;
use crate::domain::facts::Facts;
use crate::domain::grant::known_part;
use crate::domain::reason::{Denial, Reason};
use crate::domain::request::ExchangeRequest;
use crate::domain::vocabulary::Method;
use crate::minimise::Filtered;

/// The question.
pub(super) fn asked(permit: &Permit) -> Draft {
    let mut text = Text::default();
    Draft::new(Kind::Asked, of_permit(permit, &mut text).build())
}

/// The disclosure of what is left of an answer after it was settled at `epoch`.
pub(super) fn released(
    permit: &Permit,
    question: &Receipt,
    facts: &Facts,
    filtered: &Filtered,
    kept_back: &[Box<str>],
    epoch: u64,
    at: Timestamp,
) -> Draft {
    let released = join(filtered.paths.names(permit.answer()));
    let withheld = join(kept_back.iter().map(|path| format!("{path} PROTECTED_ADDRESS")));
    let digest = Sha256::digest(&filtered.bytes);
    let mut text = Text::default();
    let mut record = of_permit(permit, &mut text);
    record
        .time(Column::TimeSettled, at)
        .text(Column::SubjectReturned, facts.returned.as_deref().unwrap_or_default())
        .text(Column::FieldsReleased, &released)
        .text(Column::FieldsWithheld, &withheld)
        .text(Column::Outcome, "RELEASED")
        .number(Column::PolicyEpoch, epoch)
        .bytes(Column::ResponseDigest, &digest)
        .number(Column::Asked, question.index);
    Draft { kind: Kind::Released, record: record.build(), epoch: Some(epoch) }
}

/// The refusal of an answer.
pub(super) fn denied(permit: &Permit, question: &Receipt, denial: &Denial, at: Timestamp) -> Draft {
    let record = closing(permit, question, denial, at);
    Draft::new(Kind::Refused, record)
}

/// A question that got no answer.
pub(super) fn failed(permit: &Permit, question: &Receipt, reason: Reason, at: Timestamp) -> Draft {
    let record = closing(permit, question, &reason.into(), at);
    Draft::new(Kind::Failed, record)
}

fn closing(permit: &Permit, question: &Receipt, denial: &Denial, at: Timestamp) -> Record {
    let mut text = Text::default();
    let mut record = of_permit(permit, &mut text);
    record
        .time(Column::TimeSettled, at)
        .text(Column::Outcome, denial.reason.name())
        .number(Column::Asked, question.index)
        .text(Column::Detail, denial.cause.unwrap_or_default());
    record.build()
}

/// An auditor's question.
pub(super) fn audited<'a>(known: &'a Known<'a>, describe: impl FnOnce(&mut RecordBuilder<'a>)) -> Draft {
    let mut record = of_known(known);
    describe(&mut record);
    Draft::new(Kind::AuditRead, record.build())
}

/// A refusal before anyone was asked.
pub(super) fn refused(known: &Known<'_>, denial: &Denial, at: Timestamp) -> Draft {
    // Names of fields only: what stands beyond them may be anything.
    let named = known.of_method.zip(known.fields).map(|(method, fields)| {
        join(fields.iter().map(|path| known_part(&method.output, path)).filter(|named| !named.is_empty()))
    });
    let fields = named.unwrap_or_default();
    let field = denial.field.as_deref().filter(|_| denial.reason == Reason::FieldsNotCovered);
    let withheld = field.map(|field| format!("{field} {}", denial.reason)).unwrap_or_default();
    let mut record = of_known(known);
    record
        .time(Column::TimeSettled, at)
        .text(Column::FieldsRequested, &fields)
        .text(Column::FieldsWithheld, &withheld)
        .text(Column::Outcome, denial.reason.name())
        .text(Column::Detail, denial.cause.unwrap_or_default());
    Draft::new(Kind::Refused, record.build())
}

fn of_known<'a>(known: &'a Known<'a>) -> RecordBuilder<'a> {
    let mut record = RecordBuilder::new();
    record
        .time(Column::TimeAsked, known.asked_at)
        .text(Column::Requester, known.requester)
        .text(Column::Processor, known.processor)
        .text(Column::System, known.system)
        .bytes(Column::Key, known.key)
        .text(Column::EndUser, known.end_user)
        .text(Column::AssertedBy, known.asserted_by)
        .bytes(Column::RegistryHash, known.registry)
        .text(Column::Case, known.case)
        .text(Column::Method, known.method)
        .text(Column::Instrument, known.protocol)
        .text(Column::Purpose, known.purpose)
        .text(Column::SubjectAsked, known.subject)
        .bytes(Column::RequestDigest, known.digest)
        .text(Column::RequestId, known.request_id)
        .text(Column::TraceId, known.trace_id);
    if let Some(text) = known.text {
        record
            .text(Column::InstrumentVersion, &text.version)
            .bytes(Column::InstrumentHash, &text.content_hash)
            .text(Column::LegalBasis, &text.legal_basis);
    }
    if let Some(method) = known.of_method {
        of_method(&mut record, method);
    }
    if let Some(epoch) = known.epoch {
        record.number(Column::PolicyEpoch, epoch);
    }
    record
}

/// Text that a record borrows while it is built.
#[derive(Default)]
struct Text {
    fields: String,
}

/// The columns that the question and all that closes it have in common.
fn of_permit<'a>(permit: &'a Permit, text: &'a mut Text) -> RecordBuilder<'a> {
    let ExchangeRequest { caller, method, case, subject, request_id, trace_id, digest, asked_at, .. } =
        permit.request();
    let grant = permit.grant();
    let fields: &str = if permit.narrowed() {
        text.fields = join(permit.answer().paths().iter());
        &text.fields
    } else {
        &grant.fields_text
    };
    let mut record = RecordBuilder::new();
    record
        .time(Column::TimeAsked, *asked_at)
        .text(Column::Requester, &caller.requester.reference)
        .text(Column::Processor, caller.processor.as_ref().map_or("", |processor| &processor.reference))
        .text(Column::System, caller.system.as_str())
        .bytes(Column::Key, &caller.key)
        .text(Column::EndUser, &caller.end_user)
        .text(Column::AssertedBy, &caller.asserted_by)
        .text(Column::Case, case.as_str())
        .text(Column::Instrument, &grant.protocol)
        .text(Column::InstrumentVersion, &grant.version)
        .bytes(Column::InstrumentHash, &grant.content_hash)
        .text(Column::Purpose, &grant.purpose)
        .text(Column::LegalBasis, &grant.legal_basis)
        .text(Column::SubjectAsked, subject.as_str())
        .text(Column::FieldsRequested, fields)
        .number(Column::PolicyEpoch, permit.epoch())
        .bytes(Column::RequestDigest, digest)
        .text(Column::TraceId, trace_id.as_deref().unwrap_or_default())
        .text(Column::RequestId, request_id.as_deref().unwrap_or_default())
        .bytes(Column::RegistryHash, &caller.registry);
    of_method(&mut record, method);
    record
}

fn of_method<'a>(record: &mut RecordBuilder<'a>, method: &'a Method) {
    record
        .text(Column::Source, &method.source)
        .text(Column::Method, &method.path)
        .text(Column::Manner, method.manner.name());
}

/// Lines.
fn join<S: AsRef<str>>(lines: impl Iterator<Item = S>) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line.as_ref());
    }
    text
}
