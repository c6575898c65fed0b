//! What the log's threads share with its handle: the durable head, the published checkpoint, the
//! high-water mark, the months of its entries and the log's health. All of it off the commit path.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::checkpoint::Checkpoint;
use super::high_water;
use super::keys::LogKeys;
use super::months::Months;
use super::store::Head;

/// Whether appends can work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// They do.
    Well,
    /// They do, but the high-water mark cannot be moved: a rollback from here on may go unnoticed.
    MarkFailing(String),
    /// The last one failed, for instance because the disk is full; each is tried.
    Failing(String),
    /// They do not, and are refused at once until the database answers.
    Unavailable(String),
    /// They will not: the log must be looked at before it is opened again.
    Halted(String),
}

/// Where the high-water mark is, and who signs it.
#[derive(Debug)]
pub(super) struct Mark {
    pub path: PathBuf,
    pub origin: String,
    pub keys: Arc<LogKeys>,
}

/// A signed checkpoint and its size.
#[derive(Debug)]
pub(super) struct Published {
    pub size: u64,
    pub note: String,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub mark: Mark,
    pub months: Arc<Months>,
    pub head: ArcSwap<Head>,
    pub checkpoint: ArcSwap<Published>,
    health: ArcSwap<Health>,
    stopping: AtomicBool,
}

impl Shared {
    pub fn new(mark: Mark, months: Months, head: &Head) -> Self {
        Self {
            mark,
            months: Arc::new(months),
            head: ArcSwap::from_pointee(head.clone()),
            checkpoint: ArcSwap::from_pointee(Published { size: 0, note: head.checkpoint.clone() }),
            health: ArcSwap::from_pointee(Health::Well),
            stopping: AtomicBool::new(false),
        }
    }

    /// Signs the durable head and moves the mark to it, if it has moved. Only what is durable is
    /// ever signed: a signature over an append that is then rolled back would be a fork of our own.
    pub fn publish(&self) -> io::Result<()> {
        let head = self.head.load_full();
        if head.size > self.checkpoint.load().size {
            let note = self.sign(&head);
            high_water::write(&self.mark.path, &note)?;
            self.checkpoint.store(Arc::new(Published { size: head.size, note }));
        }
        Ok(())
    }

    /// The checkpoint of a durable head.
    pub fn sign(&self, head: &Head) -> String {
        let checkpoint = Checkpoint { origin: self.mark.origin.clone(), size: head.size, root: head.root };
        checkpoint.sign(self.mark.keys.signer())
    }

    pub fn health(&self) -> Health {
        Health::clone(&self.health.load())
    }

    /// Whether appends are refused without trying.
    pub fn closed(&self) -> bool {
        self.stopping() || matches!(**self.health.load(), Health::Unavailable(_) | Health::Halted(_))
    }

    /// The database answers: it is worth trying again.
    pub fn answering(&self) {
        if matches!(**self.health.load(), Health::Unavailable(_)) {
            self.health.store(Arc::new(Health::Well));
        }
    }

    /// An append worked.
    pub fn well(&self) {
        if matches!(**self.health.load(), Health::Unavailable(_) | Health::Failing(_)) {
            self.health.store(Arc::new(Health::Well));
        }
    }

    pub fn failing(&self, reason: String) {
        self.health.store(Arc::new(Health::Failing(reason)));
    }

    pub fn unavailable(&self, reason: String) {
        self.health.store(Arc::new(Health::Unavailable(reason)));
    }

    pub fn halt(&self, reason: String) {
        self.health.store(Arc::new(Health::Halted(reason)));
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Appends matter more than the mark: its health never hides theirs.
    fn marked(&self, outcome: io::Result<()>) {
        let health = Arc::new(match outcome {
            Ok(()) => Health::Well,
            Err(error) => Health::MarkFailing(error.to_string()),
        });
        self.health.rcu(|now| match **now {
            Health::Well | Health::MarkFailing(_) => health.clone(),
            _ => now.clone(),
        });
    }
}

/// Moves the mark every so often, and once more when the log ends.
pub(super) fn keep(stopped: &mpsc::Receiver<()>, shared: &Shared, every: Duration) {
    loop {
        let ended = stopped.recv_timeout(every) != Err(mpsc::RecvTimeoutError::Timeout);
        let outcome = shared.publish();
        if let Err(error) = &outcome {
            tracing::error!(%error, "the high-water mark cannot be written");
        }
        shared.marked(outcome);
        if ended {
            return;
        }
    }
}
