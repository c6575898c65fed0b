//! What one entry of the log is to the outside: a leaf of 56 bytes that holds no personal datum.
//! `docs/log-format.md` tables every number here. Not here: what the entry says (`record`), and
//! how that is sealed (`seal`).

use std::fmt;

use jiff::{Timestamp, tz::Offset};
use uuid::Uuid;

use super::merkle::{self, Hash};

/// Length of a leaf in bytes.
pub const LEAF_LEN: usize = 56;

const MAGIC: &[u8; 4] = b"dl1\0";

/// What happened. The numbers are stable for ever; 11 (`ERASURE_MANIFEST`) and 12 (`MONTH_SEAL`)
/// are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Entry 0: the log's origin.
    Genesis = 1,
    /// A source is about to be asked about a person.
    Asked = 2,
    /// A person's data is about to leave, or an answer that there is none.
    Released = 3,
    /// Data does not leave, or the source was never asked, for a stated reason.
    Refused = 4,
    /// The source gave no usable answer.
    Failed = 5,
    /// A question whose end is unknown: the caller went away, or the process stopped.
    Interrupted = 6,
    /// What became of a release: delivered, aborted.
    Outcome = 7,
    /// An auditor's question to the log.
    AuditRead = 8,
    /// A start, or a change of configuration or policy.
    Config = 9,
    /// Something that an auditor must see.
    Incident = 10,
}

impl Kind {
    /// The kind with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Genesis,
            2 => Self::Asked,
            3 => Self::Released,
            4 => Self::Refused,
            5 => Self::Failed,
            6 => Self::Interrupted,
            7 => Self::Outcome,
            8 => Self::AuditRead,
            9 => Self::Config,
            10 => Self::Incident,
            _ => return None,
        })
    }

    /// The name in `docs/log-format.md`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Genesis => "GENESIS",
            Self::Asked => "ASKED",
            Self::Released => "RELEASED",
            Self::Refused => "REFUSED",
            Self::Failed => "FAILED",
            Self::Interrupted => "INTERRUPTED",
            Self::Outcome => "OUTCOME",
            Self::AuditRead => "AUDIT_READ",
            Self::Config => "CONFIG",
            Self::Incident => "INCIDENT",
        }
    }

    /// How long entries of this kind are kept. Whatever may name a person is a disclosure.
    pub fn class(self) -> Class {
        match self {
            Self::Genesis | Self::Config | Self::Incident => Class::Administrative,
            _ => Class::Disclosure,
        }
    }

    /// Whether an entry of this kind closes the ASKED entry that it names.
    pub fn closes(self) -> bool {
        matches!(self, Self::Released | Self::Refused | Self::Failed | Self::Interrupted)
    }

    /// Whether an entry of this kind cannot stand without an ASKED entry before it.
    pub fn must_close(self) -> bool {
        self.closes() && self != Self::Refused
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The retention class: which keys seal the entry, and so when it is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// About the gateway itself: kept as long as the log.
    Administrative = 0,
    /// About a person: ten years by default.
    Disclosure = 1,
}

impl Class {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Administrative),
            1 => Some(Self::Disclosure),
            _ => None,
        }
    }
}

/// What the tree holds of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What happened.
    pub kind: Kind,
    /// How long it is kept.
    pub class: Class,
    /// Months since January 2020, in UTC, of the entry id's time.
    pub period: u16,
    /// A version 7 UUID: it carries the entry's time.
    pub entry_id: Uuid,
    /// The commitment to the record's columns.
    pub commitment: Hash,
}

impl Leaf {
    /// The 56 bytes that the tree hashes.
    pub fn encode(&self) -> [u8; LEAF_LEN] {
        let mut leaf = [0; LEAF_LEN];
        leaf[0..4].copy_from_slice(MAGIC);
        leaf[4] = self.kind as u8;
        leaf[5] = self.class as u8;
        leaf[6..8].copy_from_slice(&self.period.to_be_bytes());
        leaf[8..24].copy_from_slice(self.entry_id.as_bytes());
        leaf[24..56].copy_from_slice(&self.commitment);
        leaf
    }

    /// Reads a leaf back, and holds it to the rules that need no key.
    pub fn decode(bytes: &[u8; LEAF_LEN]) -> Result<Self, LeafError> {
        if bytes[0..4] != MAGIC[..] {
            return Err(LeafError::Magic);
        }
        let kind = Kind::from_number(bytes[4]).ok_or(LeafError::Kind(bytes[4]))?;
        let class = Class::from_number(bytes[5])
            .filter(|class| *class == kind.class())
            .ok_or(LeafError::Class(bytes[5]))?;
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[8..24]);
        let entry_id = Uuid::from_bytes(id);
        let period = u16::from_be_bytes([bytes[6], bytes[7]]);
        if entry_id.get_version_num() != 7 || period != period_of(entry_time(&entry_id)) {
            return Err(LeafError::Period);
        }
        let mut commitment = [0; 32];
        commitment.copy_from_slice(&bytes[24..56]);
        Ok(Self { kind, class, period, entry_id, commitment })
    }
}

/// Why 56 bytes are not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafError {
    /// It does not begin with `dl1\0`.
    Magic,
    /// No kind has this number.
    Kind(u8),
    /// This class is unknown, or not the kind's.
    Class(u8),
    /// The entry id is not a version 7 UUID, or its time is not in the period.
    Period,
}

impl fmt::Display for LeafError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("the leaf does not begin with dl1"),
            Self::Kind(number) => write!(f, "the leaf has an unknown kind, {number}"),
            Self::Class(number) => write!(f, "the leaf's class, {number}, is not its kind's"),
            Self::Period => f.write_str("the leaf's period is not that of its entry id"),
        }
    }
}

impl std::error::Error for LeafError {}

/// The RFC 6962 hash of an encoded leaf.
pub fn leaf_hash(leaf: &[u8; LEAF_LEN]) -> Hash {
    merkle::leaf_hash(leaf)
}

/// A version 7 UUID for `now`, from ten random bytes.
pub fn entry_id(now: Timestamp, random: &[u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
}

/// The instant that a version 7 UUID carries, to the millisecond.
pub fn entry_time(id: &Uuid) -> Timestamp {
    let mut millis = [0; 8];
    millis[2..8].copy_from_slice(&id.as_bytes()[..6]);
    let millis = i64::from_be_bytes(millis);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// Months since January 2020 in UTC; 0 for anything earlier.
pub fn period_of(time: Timestamp) -> u16 {
    let date = Offset::UTC.to_datetime(time);
    let months = (i32::from(date.year()) - 2020) * 12 + i32::from(date.month()) - 1;
    u16::try_from(months.max(0)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf {
        let now: Timestamp = "2026-11-22T10:00:00.123Z".parse().unwrap();
        Leaf {
            kind: Kind::Released,
            class: Class::Disclosure,
            period: period_of(now),
            entry_id: entry_id(now, &[7; 10]),
            commitment: [9; 32],
        }
    }

    #[test]
    fn a_leaf_reads_back() {
        assert_eq!(Leaf::decode(&leaf().encode()), Ok(leaf()));
        assert_eq!(entry_time(&leaf().entry_id).to_string(), "2026-11-22T10:00:00.123Z");
    }

    #[test]
    fn every_field_stands_where_the_format_says() {
        let bytes = leaf().encode();
        assert_eq!(&bytes[..8], b"dl1\0\x03\x01\x00\x52");
        assert_eq!(&bytes[8..24], leaf().entry_id.as_bytes());
        assert_eq!(&bytes[24..], [9; 32]);
    }

    #[test]
    fn a_leaf_that_breaks_a_rule_is_refused() {
        for (at, value, error) in [
            (0, b'x', LeafError::Magic),
            (4, 0, LeafError::Kind(0)),
            (4, 11, LeafError::Kind(11)),
            (5, 0, LeafError::Class(0)),
            (5, 2, LeafError::Class(2)),
            (7, 0x53, LeafError::Period),
            (14, 0x4f, LeafError::Period),
        ] {
            let mut bytes = leaf().encode();
            bytes[at] = value;
            assert_eq!(Leaf::decode(&bytes), Err(error), "byte {at} = {value}");
        }
    }

    #[test]
    fn periods_are_months_since_2020_in_utc() {
        for (time, period) in [
            ("2020-01-01T00:00:00Z", 0),
            ("2020-12-31T23:59:59.999Z", 11),
            ("2021-01-01T00:00:00Z", 12),
            ("2026-11-30T23:59:59Z", 82),
            ("1999-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(period_of(time.parse().unwrap()), period, "{time}");
        }
    }

    #[test]
    fn numbers_and_kinds_agree() {
        let kinds: Vec<_> = (0..=255).filter_map(Kind::from_number).collect();
        assert_eq!(kinds.len(), 10);
        for kind in kinds {
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
        }
    }
}
