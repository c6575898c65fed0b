//! What an entry says, as a row of a closed table of columns. One allocation holds it:
//! `count u16 ‖ (length u32 ‖ value)…` in the order of the columns, integers big-endian, an absent
//! value empty.

use std::fmt;

use jiff::Timestamp;

/// Number of columns that a record written today has.
pub const COLUMNS: usize = Column::ALL.len();

macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident = $number:literal, $name:literal;)*) => {
        /// A column of a record. Numbers are stable for ever: new columns go to the end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Column { $($(#[$doc])* $column = $number,)* }

        impl Column {
            /// Every column, in the order of the record.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$column),*];

            /// The name in `docs/log-format.md`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$column => $name,)* }
            }
        }
    };
}

columns! {
    /// When the question was received (microseconds since 1970).
    TimeAsked = 1, "time_asked";
    /// When it was decided what leaves (microseconds since 1970).
    TimeSettled = 2, "time_settled";
    /// The organisation that asked.
    Requester = 3, "requester";
    /// The organisation that asked on its behalf.
    Processor = 4, "processor";
    /// The registered system.
    System = 5, "system";
    /// SHA-256 of the public key it used.
    Key = 6, "key";
    /// The person or batch process behind the question.
    EndUser = 7, "end_user";
    /// Who vouches for the end user.
    AssertedBy = 8, "asserted_by";
    /// The requester's case.
    Case = 9, "case";
    /// The source asked.
    Source = 10, "source";
    /// The method called.
    Method = 11, "method";
    /// Read, modify, push or match.
    Manner = 12, "manner";
    /// The instrument relied on.
    Instrument = 13, "instrument";
    /// Its version.
    InstrumentVersion = 14, "instrument_version";
    /// Its content hash.
    InstrumentHash = 15, "instrument_hash";
    /// The purpose.
    Purpose = 16, "purpose";
    /// The legal basis.
    LegalBasis = 17, "legal_basis";
    /// The data subject asked about.
    SubjectAsked = 18, "subject_asked";
    /// The data subject whom the answer is about.
    SubjectReturned = 19, "subject_returned";
    /// Names of the fields asked for, one a line.
    FieldsRequested = 20, "fields_requested";
    /// Names of the fields that leave, one a line.
    FieldsReleased = 21, "fields_released";
    /// Names of the fields held back, each with its reason, one a line.
    FieldsWithheld = 22, "fields_withheld";
    /// How it ended: `RELEASED` or a reason.
    Outcome = 23, "outcome";
    /// The policy epoch that was judged under (u64).
    PolicyEpoch = 24, "policy_epoch";
    /// SHA-256 of the request.
    RequestDigest = 25, "request_digest";
    /// SHA-256 of the answer that leaves.
    ResponseDigest = 26, "response_digest";
    /// W3C trace id.
    TraceId = 27, "trace_id";
    /// The requester's request id.
    RequestId = 28, "request_id";
    /// Hash of the registry in force.
    RegistryHash = 29, "registry_hash";
    /// Index of the ASKED entry that this one settles (u64).
    Asked = 30, "asked";
    /// Administrative text.
    Detail = 31, "detail";
}

/// A record: shown to nobody by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Vec<u8>);

impl Record {
    /// Reads a record of any number of columns; the bytes must be all of it.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, MalformedRecord> {
        let (count, mut rest) = bytes.split_first_chunk::<2>().ok_or(MalformedRecord)?;
        for _ in 0..u16::from_be_bytes(*count) {
            (_, rest) = split_value(rest).ok_or(MalformedRecord)?;
        }
        if rest.is_empty() { Ok(Self(bytes)) } else { Err(MalformedRecord) }
    }

    /// The encoded record.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The values in the order of the columns, absent ones empty.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.get(2..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (value, after) = split_value(rest)?;
            rest = after;
            Some(value)
        })
    }

    /// The value of a column; nothing when it is absent.
    // Inlined, the walk is unrolled for each constant column, and LLVM's constraint elimination takes minutes over it.
    #[inline(never)]
    pub fn bytes(&self, column: Column) -> Option<&[u8]> {
        self.values().nth(column as usize - 1).filter(|value| !value.is_empty())
    }

    /// The value of a column that holds text.
    pub fn text(&self, column: Column) -> Option<&str> {
        std::str::from_utf8(self.bytes(column)?).ok()
    }

    /// The value of a column that holds a number.
    pub fn number(&self, column: Column) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(column)?.try_into().ok()?))
    }

    /// The value of a column that holds a time.
    pub fn time(&self, column: Column) -> Option<Timestamp> {
        let micros = i64::from_be_bytes(self.bytes(column)?.try_into().ok()?);
        Timestamp::from_microsecond(micros).ok()
    }
}

fn split_value(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = rest.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes)", self.0.len())
    }
}

/// The bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedRecord;

impl fmt::Display for MalformedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not a record")
    }
}

impl std::error::Error for MalformedRecord {}

/// Puts a record together, in any order, from values that stay where they are until `build`.
#[derive(Clone)]
pub struct RecordBuilder<'a>([Value<'a>; COLUMNS]);

#[derive(Clone, Copy)]
enum Value<'a> {
    Bytes(&'a [u8]),
    Number([u8; 8]),
}

impl Value<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Number(number) => number,
        }
    }
}

impl<'a> RecordBuilder<'a> {
    /// A record without values.
    pub fn new() -> Self {
        Self([Value::Bytes(&[]); COLUMNS])
    }

    /// Starts from another record's values: a closing entry repeats its question.
    pub fn from_record(record: &'a Record) -> Self {
        let mut builder = Self::new();
        for (slot, value) in builder.0.iter_mut().zip(record.values()) {
            *slot = Value::Bytes(value);
        }
        builder
    }

    /// Sets a column to bytes; empty means absent.
    pub fn bytes(&mut self, column: Column, value: &'a [u8]) -> &mut Self {
        self.set(column, Value::Bytes(value))
    }

    /// Sets a column to text; empty means absent.
    pub fn text(&mut self, column: Column, value: &'a str) -> &mut Self {
        self.set(column, Value::Bytes(value.as_bytes()))
    }

    /// Sets a column to a number.
    pub fn number(&mut self, column: Column, value: u64) -> &mut Self {
        self.set(column, Value::Number(value.to_be_bytes()))
    }

    /// Sets a column to a time, to the microsecond.
    pub fn time(&mut self, column: Column, value: Timestamp) -> &mut Self {
        self.set(column, Value::Number(value.as_microsecond().to_be_bytes()))
    }

    fn set(&mut self, column: Column, value: Value<'a>) -> &mut Self {
        if let Some(slot) = self.0.get_mut(column as usize - 1) {
            *slot = value;
        }
        self
    }

    /// The record, in one allocation. The log bounds its length when it is appended.
    pub fn build(&self) -> Record {
        let len: usize = self.0.iter().map(|value| 4 + value.as_bytes().len()).sum();
        let mut record = Vec::with_capacity(2 + len);
        record.extend_from_slice(&u16::try_from(COLUMNS).unwrap_or(u16::MAX).to_be_bytes());
        for value in &self.0 {
            let value = value.as_bytes();
            let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
            record.extend_from_slice(&len.to_be_bytes());
            record.extend_from_slice(value);
        }
        Record(record)
    }
}

impl Default for RecordBuilder<'_> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_numbered_from_one_without_gaps() {
        for (at, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!(column as usize, at + 1, "{}", column.name());
        }
    }

    #[test]
    fn a_record_reads_back_in_any_order_of_setting() {
        let time: Timestamp = "2026-11-22T10:00:00.123456Z".parse().unwrap();
        let mut builder = RecordBuilder::new();
        builder.number(Column::Asked, 7).text(Column::Purpose, "parking").time(Column::TimeAsked, time);
        let record = builder.build();
        assert_eq!(record.number(Column::Asked), Some(7));
        assert_eq!(record.text(Column::Purpose), Some("parking"));
        assert_eq!(record.time(Column::TimeAsked), Some(time));
        assert_eq!(record.bytes(Column::Detail), None);

        let closing = RecordBuilder::from_record(&record).text(Column::Outcome, "RELEASED").build();
        assert_eq!(closing.text(Column::Purpose), Some("parking"));
        assert_eq!(closing.text(Column::Outcome), Some("RELEASED"));
    }

    #[test]
    fn debug_shows_no_value() {
        let record = RecordBuilder::new().text(Column::SubjectAsked, "00610100156").build();
        assert!(!format!("{record:?}").contains("0061"));
    }

    #[test]
    fn a_later_record_with_more_columns_is_read() {
        let mut bytes = RecordBuilder::new().text(Column::Detail, "x").build().as_bytes().to_vec();
        bytes[1] += 1;
        bytes.extend_from_slice(b"\0\0\0\x01y");
        assert_eq!(Record::parse(bytes).unwrap().text(Column::Detail), Some("x"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_every_byte(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(record) = Record::parse(bytes.clone()) {
                let len: usize = record.values().map(|value| value.len() + 4).sum();
                prop_assert_eq!(len + 2, bytes.len());
            }
        }

        #[test]
        fn any_values_read_back(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), COLUMNS)) {
            let mut builder = RecordBuilder::new();
            for (column, value) in Column::ALL.into_iter().zip(&values) {
                builder.bytes(column, value);
            }
            let record = Record::parse(builder.build().as_bytes().to_vec()).unwrap();
            let read: Vec<_> = record.values().collect();
            prop_assert_eq!(read, values);
        }
    }
}
