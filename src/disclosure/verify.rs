//! Recomputes the whole log from what the database holds, and names the first entry that does not
//! fit. With the public key only, it needs no secret and reads no personal datum.

use std::fmt;
use std::ops::Range;

use super::checkpoint::{Checkpoint, VerifierKey};
use super::keys::{LogKeys, TokenKind};
use super::read;
use super::seal;
use super::store::{Head, Store, StoreError, StoredLeaf, StoredPayload};
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
    /// Number of entries, all of which fit each other and the head.
    pub size: u64,
    /// Root of the tree over them.
    pub root: super::merkle::Hash,
    /// The largest size that a checked signature covers.
    pub signed: u64,
    /// Entries at the end that nothing vouches for: no signature covers them, and the keys, which would, were not at
    /// hand. Whoever can write the database can have made them.
    pub unverified: u64,
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
    let checkpoints = checkpoints(&head, evidence)?;
    let mut so_far = SoFar { store, keys: evidence.keys, walk: Walk::default(), checkpoints };
    while so_far.walk.tree.size() < head.size {
        let from = so_far.walk.tree.size();
        let range = from..head.size.min(from + CHUNK);
        so_far.take(Chunk { range: range.clone(), fault: None }).await?;
        progress(range.end, head.size);
    }
    let SoFar { walk, checkpoints, .. } = so_far;
    check_head(&walk, &head, evidence)?;
    check_tail(store).await?;
    if let Some(ahead) = checkpoints.pending.first() {
        return Err(VerifyError::Behind { size: head.size, signed: ahead.size });
    }
    let (size, signed) = (head.size, checkpoints.signed);
    if evidence.keys.is_none() && signed == 0 && size > 0 {
        return Err(VerifyError::Unsigned { size });
    }
    check_index(store).await?;
    let unverified = if evidence.keys.is_some() { 0 } else { size - signed };
    Ok(Report { size, root: head.root, signed, unverified, open: walk.open.len() })
}

/// A verification under way.
struct SoFar<'a, S> {
    store: &'a S,
    keys: Option<&'a LogKeys>,
    walk: Walk,
    checkpoints: Checkpoints,
}

/// Entries that are verified together. Each reading ends where the one before found a fault, so that the fault that is
/// told is the first.
struct Chunk {
    range: Range<u64>,
    fault: Option<Fault>,
}

impl Chunk {
    /// The rows before the first that is malformed.
    async fn rows<T>(
        &mut self,
        read: impl AsyncFn(Range<u64>) -> Result<Vec<T>, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        loop {
            match read(self.range.clone()).await {
                Err(StoreError::Row { index }) if self.range.contains(&index) => {
                    self.range.end = index;
                    self.fault = Some(Fault { index, flaw: Flaw::Malformed });
                }
                outcome => return outcome,
            }
        }
    }
}

impl<S: Store> SoFar<'_, S> {
    async fn take(&mut self, mut chunk: Chunk) -> Result<(), VerifyError> {
        let store = self.store;
        let leaves = chunk.rows(async |range| store.leaves(range).await).await?;
        let payloads = match self.keys {
            Some(_) => chunk.rows(async |range| store.payloads(range).await).await?,
            None => Vec::new(),
        };
        if let Some(index) = store.unsearchable(chunk.range.clone()).await? {
            chunk.range.end = index + 1;
            chunk.fault = Some(Fault { index, flaw: Flaw::Unsearchable });
        }
        let mut payloads = payloads.into_iter().peekable();
        for stored in leaves.iter().take_while(|stored| stored.index < chunk.range.end) {
            self.walk.step(stored)?;
            if let Some(keys) = self.keys {
                check_payload(keys, stored, payloads.next_if(|payload| payload.index == stored.index))?;
            }
            self.checkpoints.check(&self.walk)?;
        }
        let index = self.walk.tree.size();
        if index < chunk.range.end {
            return Err(Fault { index, flaw: Flaw::Missing }.into());
        }
        chunk.fault.map_or(Ok(()), |fault| Err(fault.into()))
    }
}

/// Holds what an entry says to its leaf, its place and its search tokens.
fn check_payload(keys: &LogKeys, stored: &StoredLeaf, payload: Option<StoredPayload>) -> Result<(), Fault> {
    let tokens = payload.as_ref().map(|payload| payload.tokens);
    let entry = read::open(keys, stored, payload)?;
    let fault = |flaw| Fault { index: entry.index, flaw };
    let record = &entry.opened.record;
    if seal::closes(entry.leaf.kind, record) != stored.closes {
        return Err(fault(Flaw::Asked));
    }
    if !tokens.is_some_and(|tokens| seal::tokens_fit(keys, &entry.leaf, record, &tokens)) {
        return Err(fault(Flaw::Tokens));
    }
    Ok(())
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

/// The search index holds nothing but what entries bear. A part at a time, as the chunks of entries: a long reading keeps
/// the write-ahead log from going back into the file.
async fn check_index<S: Store>(store: &S) -> Result<(), VerifyError> {
    let mut first = None;
    for kind in TokenKind::ALL {
        for part in (0..=u8::MAX).step_by(16) {
            let index = store.misfiled(kind, part..=part | 15).await?;
            first = first.into_iter().chain(index).min();
        }
    }
    first.map_or(Ok(()), |index| Err(Fault { index, flaw: Flaw::Misfiled }.into()))
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
    /// No signature covers any entry, and the keys are not at hand: anybody can have made all of it.
    Unsigned {
        /// The head's size.
        size: u64,
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
            Self::Unsigned { size } => write!(
                f,
                "no signature covers any of the {size} entries: without the log's keys, hold it to a checkpoint that was kept"
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
