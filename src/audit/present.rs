//! An entry as the audit API shows it: names of fields, never values.

use jiff::Timestamp;
use prost_reflect::prost_types;

use crate::disclosure::read::Entry;
use crate::disclosure::record::{Column, Record};
use crate::domain::hex::hex;
use crate::proto::audit::{Disclosure, Withheld};

/// An entry in the form of `sluis.audit.v1`.
pub fn present(entry: &Entry) -> Disclosure {
    let record = &entry.opened.record;
    let text = |column| record.text(column).unwrap_or_default().to_owned();
    let lines = |column| record.text(column).into_iter().flat_map(str::lines).map(str::to_owned).collect();
    Disclosure {
        index: entry.index,
        entry_id: entry.leaf.entry_id.to_string(),
        kind: i32::from(entry.leaf.kind as u8),
        time_asked: record.time(Column::TimeAsked).map(timestamp),
        time_settled: record.time(Column::TimeSettled).map(timestamp),
        requester: text(Column::Requester),
        processor: text(Column::Processor),
        system: text(Column::System),
        key: hash(record, Column::Key),
        end_user: text(Column::EndUser),
        asserted_by: text(Column::AssertedBy),
        case: text(Column::Case),
        source: text(Column::Source),
        method: text(Column::Method),
        manner: text(Column::Manner),
        instrument: text(Column::Instrument),
        instrument_version: text(Column::InstrumentVersion),
        instrument_hash: hash(record, Column::InstrumentHash),
        purpose: text(Column::Purpose),
        legal_basis: text(Column::LegalBasis),
        subject_asked: text(Column::SubjectAsked),
        subject_returned: text(Column::SubjectReturned),
        fields_requested: lines(Column::FieldsRequested),
        fields_released: lines(Column::FieldsReleased),
        fields_withheld: record
            .text(Column::FieldsWithheld)
            .into_iter()
            .flat_map(str::lines)
            .map(withheld)
            .collect(),
        outcome: text(Column::Outcome),
        policy_epoch: record.number(Column::PolicyEpoch).unwrap_or_default(),
        request_digest: hash(record, Column::RequestDigest),
        response_digest: hash(record, Column::ResponseDigest),
        trace_id: text(Column::TraceId),
        request_id: text(Column::RequestId),
        registry_hash: hash(record, Column::RegistryHash),
        asked: record.number(Column::Asked),
        detail: text(Column::Detail),
    }
}

fn withheld(line: &str) -> Withheld {
    let (field, reason) = line.split_once(' ').unwrap_or((line, ""));
    Withheld { field: field.to_owned(), reason: reason.to_owned() }
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

fn hash(record: &Record, column: Column) -> String {
    hex(record.bytes(column).unwrap_or_default())
}
