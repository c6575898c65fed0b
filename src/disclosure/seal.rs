//! Sealing: from what the gateway wants to say to what the store may hold. Needs no index, so it
//! happens in the caller's task and not in the one sequencer.

use std::fmt;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce};
use jiff::Timestamp;
use uuid::Uuid;

use super::commitment::{self, Seed};
use super::entry::{self, Kind, LEAF_LEN, Leaf};
use super::keys::{LogKeys, Token, TokenKind};
use super::merkle::Hash;
use super::record::{Column, Record, RecordBuilder};

/// Longest record in bytes.
pub const MAX_RECORD: usize = 64 * 1024;

/// An entry to be appended.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What happened.
    pub kind: Kind,
    /// What it says. `Column::Asked` names the question that a closing entry closes.
    pub record: Record,
    /// The policy epoch that was judged under: if another one holds when the entry would be
    /// committed, it is not appended. Nothing: the entry holds in any epoch.
    pub epoch: Option<u64>,
}

impl Draft {
    /// A draft that holds in any epoch.
    pub fn new(kind: Kind, record: Record) -> Self {
        Self { kind, record, epoch: None }
    }

    /// The INTERRUPTED entry for a question whose end is unknown.
    pub fn interrupted(asked: &Record, index: u64, now: Timestamp) -> Self {
        let mut record = RecordBuilder::from_record(asked);
        record.time(Column::TimeSettled, now);
        record.text(Column::Outcome, "INTERRUPTED").number(Column::Asked, index);
        Self::new(Kind::Interrupted, record.build())
    }
}

/// The five search tokens of an entry, 16 bytes each, zeros where there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens(pub [u8; 80]);

impl Tokens {
    fn of(keys: &LogKeys, leaf: &Leaf, record: &Record) -> Self {
        let mut tokens = [0; 80];
        for (slot, kind) in tokens.as_chunks_mut::<16>().0.iter_mut().zip(TokenKind::ALL) {
            if let Some(value) = searchable(record, kind) {
                *slot = keys.token(leaf.class, leaf.period, kind, value);
            }
        }
        Self(tokens)
    }

    /// The token of one kind, if the entry has one.
    pub fn token(&self, kind: TokenKind) -> Option<Token> {
        let token = self.0.as_chunks::<16>().0.get(kind as usize)?;
        (*token != [0; 16]).then_some(*token)
    }
}

/// The value by which a record is found.
pub(super) fn searchable(record: &Record, kind: TokenKind) -> Option<&[u8]> {
    match kind {
        TokenKind::Subject => {
            record.bytes(Column::SubjectReturned).or_else(|| record.bytes(Column::SubjectAsked))
        }
        TokenKind::User => record.bytes(Column::EndUser),
        TokenKind::Organisation => record.bytes(Column::Requester),
        TokenKind::Case => record.bytes(Column::Case),
        TokenKind::Asked => {
            let asked = record.bytes(Column::SubjectAsked);
            asked.filter(|&asked| record.bytes(Column::SubjectReturned).is_some_and(|other| other != asked))
        }
    }
}

/// The question that an entry closes, as its record says.
pub(super) fn closes(kind: Kind, record: &Record) -> Option<u64> {
    if kind.closes() { record.number(Column::Asked) } else { None }
}

/// An entry that lacks nothing but its place in the tree.
#[derive(Clone, Debug)]
pub struct SealedEntry {
    /// Its id.
    pub entry_id: Uuid,
    /// Its kind, as in the leaf.
    pub kind: Kind,
    /// The month in which it was sealed, as in the leaf.
    pub period: u16,
    /// The encoded leaf.
    pub leaf: [u8; LEAF_LEN],
    /// The leaf's hash in the tree.
    pub leaf_hash: Hash,
    /// The sealed payload.
    pub payload: Vec<u8>,
    /// By what it is found.
    pub tokens: Tokens,
    /// The question that it closes.
    pub closes: Option<u64>,
    /// The policy epoch that it needs.
    pub epoch: Option<u64>,
}

/// Seals a draft. `random` must come from the operating system, anew for each entry.
pub fn seal(
    keys: &LogKeys,
    draft: &Draft,
    now: Timestamp,
    random: &[u8; 42],
) -> Result<SealedEntry, SealError> {
    let record = draft.record.as_bytes();
    if record.len() > MAX_RECORD {
        return Err(SealError::TooLarge);
    }
    let (Some(seed), Some(id)) = (random.first_chunk::<32>(), random.last_chunk::<10>()) else {
        return Err(SealError::Cipher);
    };
    let seed = Seed::new(*seed);
    let entry_id = entry::entry_id(now, id);
    let leaf = Leaf {
        kind: draft.kind,
        class: draft.kind.class(),
        period: entry::period_of(now),
        entry_id,
        commitment: commitment::commit(&seed, &draft.record),
    };
    let bytes = leaf.encode();
    let mut payload = Vec::with_capacity(32 + record.len() + 16);
    payload.extend_from_slice(seed.as_bytes());
    payload.extend_from_slice(record);
    cipher(keys, &leaf)
        .encrypt_in_place(&Nonce::default(), &bytes, &mut payload)
        .map_err(|_| SealError::Cipher)?;
    Ok(SealedEntry {
        entry_id,
        kind: draft.kind,
        period: leaf.period,
        leaf: bytes,
        leaf_hash: entry::leaf_hash(&bytes),
        payload,
        tokens: Tokens::of(keys, &leaf, &draft.record),
        closes: closes(draft.kind, &draft.record),
        epoch: draft.epoch,
    })
}

/// Each entry has a key of its own, so the nonce can be zero.
fn cipher(keys: &LogKeys, leaf: &Leaf) -> Aes256Gcm {
    Aes256Gcm::new((&*keys.entry_key(leaf)).into())
}

/// Why an entry could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The record is longer than `MAX_RECORD`.
    TooLarge,
    /// The cipher failed.
    Cipher,
}

/// A payload, opened.
pub struct Opened {
    /// What salts the commitment: opens single columns (`commitment::open`).
    pub seed: Seed,
    /// What the entry says.
    pub record: Record,
}

/// Opens a payload and holds it to its leaf.
pub fn open(keys: &LogKeys, leaf: &Leaf, payload: &[u8]) -> Result<Opened, UnopenedError> {
    let mut plain = payload.to_vec();
    cipher(keys, leaf)
        .decrypt_in_place(&Nonce::default(), &leaf.encode(), &mut plain)
        .map_err(|_| UnopenedError::Cipher)?;
    let (seed, record) = plain.split_first_chunk::<32>().ok_or(UnopenedError::Record)?;
    let seed = Seed::new(*seed);
    let record = Record::parse(record.to_vec()).map_err(|_| UnopenedError::Record)?;
    if commitment::commit(&seed, &record) != leaf.commitment {
        return Err(UnopenedError::Commitment);
    }
    Ok(Opened { seed, record })
}

/// Whether an entry's tokens are those of its record.
pub(super) fn tokens_fit(keys: &LogKeys, leaf: &Leaf, record: &Record, tokens: &Tokens) -> bool {
    Tokens::of(keys, leaf, record) == *tokens
}

/// Why a payload does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnopenedError {
    /// The cipher refuses it: another key, another leaf, or other bytes.
    Cipher,
    /// What came out is not a record.
    Record,
    /// The record is not what the leaf committed to.
    Commitment,
}

impl fmt::Display for UnopenedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cipher => "the payload does not open: it, its leaf or the key is another",
            Self::Record => "the payload is not a record",
            Self::Commitment => "the record is not what the leaf committed to",
        })
    }
}

impl std::error::Error for UnopenedError {}
