//! Recomputes the whole log from what the database holds, and names the first entry that does not
//! fit. With the public key only, it needs no secret and reads no personal datum.

use std::fmt;
use std::ops::Range;

use super::checkpoint::{Checkpoint, VerifierKey};
use super::keys::LogKeys;
use super::read::{self, ReadError};
use super::seal;
use super::store::{Head, Store, StoreError, StoredLeaf};
use super::walk::{Fault, Flaw, Walk};

/// Entries read at a time: bounds the memory that a verification takes.
const CHUNK: u64 = 1024;

/// What a verification may rely on, apart from the database.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The log's public key.
    pub verifier: &'a VerifierKey,
    /// The log's secret keys: with them payloads, tokens and places are checked too.
    pub keys: Option<&'a LogKeys>,
    /// Checkpoints kept outside the database, as signed notes: the high-water mark, a witness's.
    pub notes: &'a [String],
}

/// What was found to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Number of entries, all of which fit.
    pub size: u64,
    /// Root of the tree over them.
    pub root: super::merkle::Hash,
    /// The largest size that a checked signature covers.
    pub signed: u64,
    /// Questions that are not closed: answers in flight, or a process that died.
    pub open: usize,
}

/// Verifies the log. `progress` is told how many of how many entries are done.
pub async fn verify<S: Store>(
    store: &S,
    evidence: &Evidence<'_>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let head = store.head().await?;
    let mut checkpoints = checkpoints(&head, evidence)?;
    let mut walk = Walk::default();
    while walk.tree.size() < head.size {
        let from = walk.tree.size();
        let range = from..head.size.min(from + CHUNK);
        let leaves = store.leaves(range.clone()).await?;
        check_leaves(&mut walk, &leaves, &mut checkpoints, evidence, store, &range).await?;
        if walk.tree.size() < range.end {
            return Err(Fault { index: walk.tree.size(), flaw: Flaw::Missing }.into());
        }
        if let Some(index) = store.unsearchable(range.clone()).await? {
            return Err(Fault { index, flaw: Flaw::Unsearchable }.into());
        }
        progress(range.end, head.size);
    }
    check_head(&walk, &head, evidence)?;
    check_tail(store).await?;
    if let Some(ahead) = checkpoints.pending.first() {
        return Err(VerifyError::Behind { size: head.size, signed: ahead.size });
    }
    Ok(Report { size: head.size, root: head.root, signed: checkpoints.signed, open: walk.open.len() })
}

/// Checkpoints by size, those not yet reached.
struct Checkpoints {
    pending: Vec<Checkpoint>,
    signed: u64,
}

fn checkpoints(head: &Head, evidence: &Evidence<'_>) -> Result<Checkpoints, VerifyError> {
    let stored = Some(&head.checkpoint).filter(|note| !note.is_empty());
    let mut pending = Vec::new();
    for note in evidence.notes.iter().chain(stored) {
        pending.push(evidence.verifier.open(note).map_err(VerifyError::Note)?);
    }
    pending.sort_by_key(|checkpoint| checkpoint.size);
    Ok(Checkpoints { pending, signed: 0 })
}

impl Checkpoints {
    /// Holds the tree to the checkpoints of its size.
    fn check(&mut self, walk: &Walk) -> Result<(), VerifyError> {
        while let Some(next) = self.pending.first().filter(|next| next.size <= walk.tree.size()) {
            if next.size == walk.tree.size() && next.root != walk.tree.root() {
                return Err(VerifyError::Rewritten { size: next.size, since: self.signed });
            }
            self.signed = next.size;
            self.pending.remove(0);
        }
        Ok(())
    }
}

async fn check_leaves<S: Store>(
    walk: &mut Walk,
    leaves: &[StoredLeaf],
    checkpoints: &mut Checkpoints,
    evidence: &Evidence<'_>,
    store: &S,
    range: &Range<u64>,
) -> Result<(), VerifyError> {
    let Some(keys) = evidence.keys else {
        for stored in leaves {
            walk.step(stored)?;
            checkpoints.check(walk)?;
        }
        return Ok(());
    };
    let mut payloads = store.payloads(range.clone()).await?.into_iter().peekable();
    for stored in leaves {
        walk.step(stored)?;
        let payload = payloads.next_if(|payload| payload.index == stored.index);
        let tokens = payload.as_ref().map(|payload| payload.tokens);
        let entry = read::open(keys, stored, payload)?;
        let fault = |flaw| Fault { index: entry.index, flaw };
        let record = &entry.opened.record;
        if seal::closes(entry.leaf.kind, record) != stored.closes {
            return Err(fault(Flaw::Asked).into());
        }
        if !tokens.is_some_and(|tokens| seal::tokens_fit(keys, &entry.leaf, record, &tokens)) {
            return Err(fault(Flaw::Tokens).into());
        }
        checkpoints.check(walk)?;
    }
    Ok(())
}

fn check_head(walk: &Walk, head: &Head, evidence: &Evidence<'_>) -> Result<(), VerifyError> {
    if walk.tree.root() != head.root || walk.tree.encode() != head.frontier {
        return Err(VerifyError::Root { size: head.size });
    }
    let forged = |keys: &LogKeys| keys.head_mac(head.size, &head.root, head.restarted) != head.mac;
    if head.size > 0 && evidence.keys.is_some_and(forged) {
        return Err(VerifyError::Head);
    }
    Ok(walk.settled_before(head.restarted)?)
}

/// Nothing may lie beyond the head; while the log is being written, a later head may reach it.
async fn check_tail<S: Store>(store: &S) -> Result<(), VerifyError> {
    loop {
        let before = store.head().await?;
        let Some(index) = store.beyond(before.size).await? else { return Ok(()) };
        if store.head().await?.size == before.size {
            return Err(Fault { index, flaw: Flaw::Beyond }.into());
        }
    }
}

/// Why the log does not verify.
#[derive(Debug)]
pub enum VerifyError {
    /// An entry does not fit.
    Entry(Fault),
    /// Every entry has the form of one, but their tree is not the head's.
    Root {
        /// The head's size.
        size: u64,
    },
    /// The tree is not the one that was signed.
    Rewritten {
        /// The checkpoint's size.
        size: u64,
        /// The size up to which the log is as signed.
        since: u64,
    },
    /// The head was not made by the log.
    Head,
    /// The log is shorter than a checkpoint that it signed: it was taken back.
    Behind {
        /// The head's size.
        size: u64,
        /// The checkpoint's.
        signed: u64,
    },
    /// A checkpoint does not open.
    Note(super::checkpoint::NoteError),
    /// The database does not answer.
    Store(StoreError),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(fault) => fault.fmt(f),
            Self::Root { size } => {
                write!(f, "the tree over the {size} entries is not the head's: entries were changed")
            }
            Self::Rewritten { size, since } => write!(
                f,
                "the first {size} entries are not those of the signed checkpoint: changed between {since} and {size}"
            ),
            Self::Head => f.write_str("the head was not made with the log's keys"),
            Self::Behind { size, signed } => write!(
                f,
                "entry {size}: it is missing; the log ends here, and {signed} entries were signed: it was taken back"
            ),
            Self::Note(_) => f.write_str("a checkpoint does not open"),
            Self::Store(_) => f.write_str("the log cannot be read"),
        }
    }
}

impl std::error::Error for VerifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Note(source) => Some(source),
            Self::Store(source) => Some(source),
            _ => None,
        }
    }
}

impl From<Fault> for VerifyError {
    fn from(fault: Fault) -> Self {
        Self::Entry(fault)
    }
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Row { index } => Fault { index, flaw: Flaw::Malformed }.into(),
            StoreError::Head => Self::Head,
            other => Self::Store(other),
        }
    }
}

impl From<ReadError> for VerifyError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(source) => source.into(),
            ReadError::Fault(fault) => fault.into(),
        }
    }
}
