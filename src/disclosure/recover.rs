//! Opening the log: nothing is appended to a log that is not the one this gateway left.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::checkpoint::{Checkpoint, NoteError};
use super::entry::{Class, Kind};
use super::high_water;
use super::keys::LogKeys;
use super::log::Settings;
use super::read::{self, ReadError};
use super::record::{Column, RecordBuilder};
use super::seal::Draft;
use super::store::{Head, Store, StoreError};
use super::walk::{Fault, Flaw, Walk};

/// Leaves read at a time.
const CHUNK: u64 = 8192;

/// The log as it was left.
pub(super) struct Recovered {
    pub walk: Walk,
    pub months: BTreeSet<u16>,
    pub head: Head,
    /// What must be appended before anything else; the last one marks the restart.
    pub opening: Vec<Draft>,
}

/// Checks the log against its keys, its own tree and the high-water mark.
pub(super) async fn recover<S: Store>(
    store: &S,
    keys: &LogKeys,
    mark: &Path,
    settings: &Settings,
    now: Timestamp,
) -> Result<Recovered, OpenError> {
    let head = store.head().await?;
    if head.size > 0 && keys.head_mac(head.size, &head.root, head.restarted) != head.mac {
        return Err(OpenError::Head);
    }
    let marked = read_mark(mark, keys, &settings.origin)?;
    if let Some(marked) = marked.as_ref().filter(|marked| marked.size > head.size) {
        return Err(OpenError::RolledBack { size: head.size, marked: marked.size, mark: mark.to_owned() });
    }
    let lost = marked.is_none() && high_water::expected(head.size);
    if lost && !settings.accept_missing_mark {
        return Err(OpenError::MarkMissing { mark: mark.to_owned(), size: head.size });
    }
    let (walk, months) = walk(store, &head, marked.as_ref(), mark).await?;
    let mut opening = Vec::new();
    if head.size == 0 {
        opening.push(administrative(Kind::Genesis, &settings.origin, now));
    } else {
        check_origin(store, keys, &settings.origin).await?;
    }
    if lost {
        opening.push(administrative(Kind::Incident, "high-water mark missing at start, accepted", now));
    }
    for &index in &walk.open {
        let leaf = store.leaves(index..index + 1).await?;
        let payload = store.payloads(index..index + 1).await?;
        let missing = Fault { index, flaw: Flaw::Missing };
        let asked = read::open(keys, leaf.first().ok_or(missing)?, payload.into_iter().next())?;
        opening.push(Draft::interrupted(&asked.opened.record, index, now));
    }
    opening.push(started(settings, now));
    Ok(Recovered { walk, months, head, opening })
}

/// The entry of a start: which program, and under which policy.
fn started(settings: &Settings, now: Timestamp) -> Draft {
    let mut detail = concat!("started ", env!("CARGO_PKG_VERSION")).to_owned();
    if let Some(policy) = &settings.policy {
        detail.extend(["; ", &policy.detail]);
    }
    let mut record = RecordBuilder::new();
    record.time(Column::TimeSettled, now).text(Column::Detail, &detail);
    if let Some(policy) = &settings.policy {
        record.bytes(Column::RegistryHash, &policy.registry);
    }
    Draft::new(Kind::Config, record.build())
}

fn administrative(kind: Kind, detail: &str, now: Timestamp) -> Draft {
    let mut record = RecordBuilder::new();
    Draft::new(kind, record.time(Column::TimeSettled, now).text(Column::Detail, detail).build())
}

fn read_mark(mark: &Path, keys: &LogKeys, origin: &str) -> Result<Option<Checkpoint>, OpenError> {
    let failed = |source| OpenError::Mark { mark: mark.to_owned(), source };
    let Some(note) = high_water::read(mark).map_err(failed)? else { return Ok(None) };
    let opened = keys.verifier(origin).open(&note);
    opened.map(Some).map_err(|source| OpenError::MarkForeign { mark: mark.to_owned(), source })
}

async fn walk<S: Store>(
    store: &S,
    head: &Head,
    marked: Option<&Checkpoint>,
    mark: &Path,
) -> Result<(Walk, BTreeSet<u16>), OpenError> {
    let (mut walk, mut months) = (Walk::default(), BTreeSet::new());
    while walk.tree.size() < head.size {
        let from = walk.tree.size();
        for stored in store.leaves(from..head.size.min(from + CHUNK)).await? {
            let leaf = walk.step(&stored)?;
            if leaf.class == Class::Disclosure {
                months.insert(leaf.period);
            }
            let size = walk.tree.size();
            if marked.is_some_and(|marked| marked.size == size && marked.root != walk.tree.root()) {
                return Err(OpenError::Forked { marked: size, mark: mark.to_owned() });
            }
        }
        if walk.tree.size() == from {
            return Err(Fault { index: from, flaw: Flaw::Missing }.into());
        }
    }
    if walk.tree.root() != head.root || walk.tree.encode() != head.frontier {
        return Err(OpenError::Root { size: head.size });
    }
    if let Some(index) = store.beyond(head.size).await? {
        return Err(Fault { index, flaw: Flaw::Beyond }.into());
    }
    walk.settled_before(head.restarted)?;
    Ok((walk, months))
}

async fn check_origin<S: Store>(store: &S, keys: &LogKeys, origin: &str) -> Result<(), OpenError> {
    let missing = Fault { index: 0, flaw: Flaw::Missing };
    let leaf = store.leaves(0..1).await?;
    let payload = store.payloads(0..1).await?;
    let genesis = read::open(keys, leaf.first().ok_or(missing)?, payload.into_iter().next())?;
    match genesis.opened.record.text(Column::Detail) {
        Some(found) if found == origin => Ok(()),
        found => Err(OpenError::Origin { found: found.unwrap_or_default().to_owned() }),
    }
}

/// Why the log is not opened.
#[derive(Debug)]
pub enum OpenError {
    /// The database does not answer, or took no entry.
    Store(StoreError),
    /// The first entries could not be appended.
    Unwritable,
    /// The system gave no random bytes, or no thread.
    System(io::Error),
    /// The head was not made with these keys.
    Head,
    /// An entry does not fit.
    Entry(Fault),
    /// The tree is not the head's.
    Root {
        /// The head's size.
        size: u64,
    },
    /// The log is shorter than it has been.
    RolledBack {
        /// Number of entries now.
        size: u64,
        /// Number of entries that the mark knows.
        marked: u64,
        /// The mark's file.
        mark: PathBuf,
    },
    /// The log's entries are not those that the mark knows.
    Forked {
        /// Number of entries that the mark knows.
        marked: u64,
        /// The mark's file.
        mark: PathBuf,
    },
    /// The log has entries and there is no mark.
    MarkMissing {
        /// The mark's file.
        mark: PathBuf,
        /// Number of entries.
        size: u64,
    },
    /// The mark cannot be read or written.
    Mark {
        /// The mark's file.
        mark: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The mark was not made by this log.
    MarkForeign {
        /// The mark's file.
        mark: PathBuf,
        /// Why.
        source: NoteError,
    },
    /// The database holds another log.
    Origin {
        /// That log's name.
        found: String,
    },
}

const WHAT_TO_DO: &str = "Stop here: somebody put back an older copy of the database or rewrote it. Keep \
     the files as evidence, and bring back the database that belongs to the mark; where it is lost, begin a log \
     with a new origin and report the gap";

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the log's database does not answer"),
            Self::Unwritable => f.write_str("the log's database takes no entry"),
            Self::System(_) => f.write_str("the log cannot start"),
            Self::Head => f.write_str(
                "the log's head was not made with these keys: the key file is another log's, or the head was planted",
            ),
            Self::Entry(fault) => fault.fmt(f),
            Self::Root { size } => {
                write!(f, "the tree over the log's {size} entries is not the head's: entries were changed")
            }
            Self::RolledBack { size, marked, mark } => write!(
                f,
                "rollback: the log has {size} entries, and had {marked} by {mark}. {WHAT_TO_DO}",
                mark = mark.display()
            ),
            Self::Forked { marked, mark } => write!(
                f,
                "rollback: the log's first {marked} entries are not those of {mark}. {WHAT_TO_DO}",
                mark = mark.display()
            ),
            Self::MarkMissing { mark, size } => write!(
                f,
                "the log has {size} entries and its high-water mark {mark} is missing: put it back, or set \
                 log.accept_missing_mark = true for one start once you know that the database is the newest",
                mark = mark.display()
            ),
            Self::Mark { mark, .. } => write!(f, "the high-water mark {}", mark.display()),
            Self::MarkForeign { mark, .. } => {
                write!(f, "the high-water mark {} is not this log's", mark.display())
            }
            Self::Origin { found } => write!(f, "the database holds another log, {found}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(source) => Some(source),
            Self::System(source) | Self::Mark { source, .. } => Some(source),
            Self::MarkForeign { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        Self::Entry(fault)
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Head => Self::Head,
            other => ReadError::from(other).into(),
        }
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(source) => Self::Store(source),
            ReadError::Fault(fault) => Self::Entry(fault),
        }
    }
}
