//! Reading the log back, opened. Who reads writes an `AUDIT_READ` entry first; that is the auditor's
//! module's duty, not this one's.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::entry::Leaf;
use super::keys::{LogKeys, TokenKind};
use super::months::Months;
use super::seal::{self, Opened};
use super::store::{Store, StoreError, StoredLeaf, StoredPayload};
use super::walk::{Fault, Flaw};

/// Reads entries with the log's keys.
#[derive(Clone, Debug)]
pub struct Reader<S> {
    store: S,
    keys: Arc<LogKeys>,
    months: Arc<Months>,
}

/// An entry, opened and held to its leaf.
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its leaf: kind, class, time and id.
    pub leaf: Leaf,
    /// The question that it closes.
    pub closes: Option<u64>,
    /// What it says.
    pub opened: Opened,
}

/// A page of entries.
pub struct Found {
    /// The entries, by index.
    pub entries: Vec<Entry>,
    /// Where the next page begins; nothing when there is none.
    pub next: Option<u64>,
}

impl<S: Store> Reader<S> {
    /// A reader of this store. It finds what was made in these months; those of a log that is open are
    /// [`Log::reader`](super::Log::reader)'s.
    pub fn new(store: S, keys: Arc<LogKeys>, months: Arc<Months>) -> Self {
        Self { store, keys, months }
    }

    /// Number of entries.
    pub async fn size(&self) -> Result<u64, ReadError> {
        Ok(self.store.head().await?.size)
    }

    /// The entries of a range, by index, as far as the log reaches: all of them, or the first that is not there.
    pub async fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        let size = self.size().await?;
        self.within(range.start..range.end.min(size)).await
    }

    /// The entries of a range that lies within the log.
    async fn within(&self, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        let leaves = self.store.leaves(range.clone()).await?;
        let payloads = self.store.payloads(range.clone()).await?;
        let mut payloads = payloads.into_iter().peekable();
        let mut entries = Vec::with_capacity(leaves.len());
        let mut due = range;
        for stored in leaves {
            if let Some(index) = due.next().filter(|&index| index != stored.index) {
                return Err(missing(index));
            }
            let payload = payloads.next_if(|payload| payload.index == stored.index);
            entries.push(open(&self.keys, &stored, payload)?);
        }
        due.next().map_or(Ok(entries), |index| Err(missing(index)))
    }

    /// The entries of a range that name a value, by index. A page may be short and have a next.
    ///
    /// What the search index says is held to the entries: one that is not there, or does not say what it is found by,
    /// is a fault of the log and no shorter answer.
    pub async fn find(
        &self,
        kind: TokenKind,
        value: &[u8],
        range: Range<u64>,
        limit: usize,
    ) -> Result<Found, ReadError> {
        // A number that has been replaced names the same person as the one that replaced it.
        let kinds = if kind == TokenKind::Subject { &[kind, TokenKind::Asked][..] } else { &[kind] };
        let range = range.start..range.end.min(self.size().await?);
        // After the size: no entry below it is of another month.
        let tokens = self.months.tokens(&self.keys, kind, value);
        let mut indexes = Vec::new();
        for &kind in kinds {
            indexes.extend(self.store.find(kind, &tokens, range.clone(), limit).await?);
        }
        indexes.sort_unstable();
        indexes.dedup();
        indexes.truncate(limit);
        let next = indexes.last().map(|last| last + 1);
        let next = next.filter(|next| indexes.len() == limit && *next < range.end);
        let mut entries = Vec::with_capacity(indexes.len());
        for index in indexes {
            let found = self.within(index..index + 1).await?;
            // The index is the database's word; the record is the log's.
            let named = |entry: &Entry| {
                kinds.iter().any(|&kind| seal::searchable(&entry.opened.record, kind) == Some(value))
            };
            if !found.iter().all(named) {
                return Err(Fault { index, flaw: Flaw::Misfiled }.into());
            }
            entries.extend(found);
        }
        Ok(Found { entries, next })
    }
}

fn missing(index: u64) -> ReadError {
    Fault { index, flaw: Flaw::Missing }.into()
}

/// Opens one entry.
pub(super) fn open(
    keys: &LogKeys,
    stored: &StoredLeaf,
    payload: Option<StoredPayload>,
) -> Result<Entry, Fault> {
    let StoredLeaf { index, closes, .. } = *stored;
    let fault = |flaw| Fault { index, flaw };
    let leaf = Leaf::decode(&stored.leaf).map_err(|error| fault(Flaw::Leaf(error)))?;
    if keys.place_mac(index, &super::entry::leaf_hash(&stored.leaf), closes) != stored.place {
        return Err(fault(Flaw::Place));
    }
    let payload = payload.ok_or(fault(Flaw::PayloadMissing))?;
    let opened = seal::open(keys, &leaf, &payload.sealed).map_err(|error| fault(Flaw::Payload(error)))?;
    Ok(Entry { index, leaf, closes, opened })
}

/// Why entries cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The database does not answer.
    Store(StoreError),
    /// An entry is not what the log appended.
    Fault(Fault),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the log cannot be read"),
            Self::Fault(_) => f.write_str("the log does not verify"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(source) => Some(source),
            Self::Fault(source) => Some(source),
        }
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Row { index } => Self::Fault(Fault { index, flaw: Flaw::Malformed }),
            other => Self::Store(other),
        }
    }
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
