//! What the log asks of a database. The database is not trusted: whatever it gives back is checked
//! against keys and hashes by whoever reads it.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use super::entry::LEAF_LEN;
use super::keys::{Token, TokenKind};
use super::merkle::Hash;
use super::seal::{SealedEntry, Tokens};

/// A database that keeps one log. Clones share it.
pub trait Store: Clone + Send + Sync + 'static {
    /// The head, as of the last commit. A store that was never written to has `Head::empty`.
    ///
    /// Must see every commit that any `append` has reported, also one whose outcome was in doubt.
    fn head(&self) -> impl Future<Output = Result<Head, StoreError>> + Send;

    /// Appends rows and moves the head, in one transaction: all of it or nothing.
    ///
    /// Durable when it answers `Committed`: power may fail the moment after. Serialised by
    /// compare-and-swap: `Moved`, and nothing written, when size, root or epoch are not those of
    /// `batch.expect`. After an error the outcome is in doubt, and only `head` can tell; once
    /// `append` has returned, its transaction is over.
    fn append<'a>(&'a self, batch: Batch<'a>)
    -> impl Future<Output = Result<Appended, StoreError>> + Send + 'a;

    /// The leaves in a range that are there, by index.
    fn leaves(&self, range: Range<u64>) -> impl Future<Output = Result<Vec<StoredLeaf>, StoreError>> + Send;

    /// The payloads in a range that are there, by index.
    fn payloads(
        &self,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Vec<StoredPayload>, StoreError>> + Send;

    /// The first index at or after `size` under which a leaf or a payload is kept.
    fn beyond(&self, size: u64) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// The first `limit` indexes in a range of entries that bear one of the tokens, ascending.
    ///
    /// Complete up to the head, indexed or not. The tokens are the database's word: the caller
    /// opens what it found and compares.
    fn find(
        &self,
        kind: TokenKind,
        tokens: &[Token],
        range: Range<u64>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<u64>, StoreError>> + Send;

    /// Takes up to `limit` more entries into the search index, outside any append, and says how
    /// many remain.
    fn index(&self, limit: u64) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The first entry in a range that the search index claims to hold and does not.
    fn unsearchable(&self, range: Range<u64>) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// The first entry that the search index holds under a token which it does not bear, of the tokens of one kind whose
    /// first byte is in a range.
    fn misfiled(
        &self,
        kind: TokenKind,
        first: RangeInclusive<u8>,
    ) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;
}

/// The log's head, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// The right edge of the tree, as `Frontier::encode` writes it.
    pub frontier: Vec<u8>,
    /// HMAC over size, root and restart mark, by a key that the database never sees.
    pub mac: Hash,
    /// Index of the CONFIG entry of the last start: no question older than it is open.
    pub restarted: u64,
    /// The policy epoch. Registers raise it in their own transactions, so the HMAC leaves it out.
    pub epoch: u64,
    /// The last published checkpoint, a signed note; empty before the first.
    pub checkpoint: String,
}

/// What one transaction appends.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The head that must still hold: size, root and epoch are compared.
    pub expect: &'a Head,
    /// The head afterwards.
    pub next: &'a Head,
    /// The rows, from index `expect.size` on: none, or up to 1,024.
    pub rows: &'a [Row<'a>],
}

/// An entry with its place.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The entry.
    pub entry: &'a SealedEntry,
    /// Ties the entry to its index.
    pub place: [u8; 16],
}

/// Whether a batch was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Committed,
    /// The head is not the expected one; nothing was written.
    Moved,
}

/// A leaf, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Its index.
    pub index: u64,
    /// The encoded leaf.
    pub leaf: [u8; LEAF_LEN],
    /// Its hash in the tree.
    pub leaf_hash: Hash,
    /// Ties it to its index.
    pub place: [u8; 16],
    /// The question that it closes.
    pub closes: Option<u64>,
}

/// A payload, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPayload {
    /// Its entry's index.
    pub index: u64,
    /// Cipher text and tag.
    pub sealed: Vec<u8>,
    /// By what it is found.
    pub tokens: Tokens,
}

/// What the database would not do.
#[derive(Debug)]
pub enum StoreError {
    /// It may work later: it is full, locked or gone.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
    /// It must not be written to again before somebody has looked: a write failed in the
    /// hardware, or the file is corrupt.
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// A stored row has not the form of one.
    Row {
        /// The row's index.
        index: u64,
    },
    /// The stored head has not the form of one.
    Head,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(_) => f.write_str("the log's database is unavailable"),
            Self::Broken(_) => f.write_str("the log's database is broken"),
            Self::Row { index } => write!(f, "row {index} of the log has not the form of one"),
            Self::Head => f.write_str("the log's head has not the form of one"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(source) | Self::Broken(source) => Some(&**source),
            Self::Row { .. } | Self::Head => None,
        }
    }
}

impl Head {
    /// The head of a log without entries.
    pub fn empty() -> Self {
        Self {
            size: 0,
            root: super::merkle::Frontier::default().root(),
            frontier: Vec::new(),
            mac: [0; 32],
            restarted: 0,
            epoch: 0,
            checkpoint: String::new(),
        }
    }
}
