//! The one writer of a log. It takes whatever has queued up while the last commit ran (group
//! commit; it lingers only where it is busy), and answers nobody before the commit is durable.
//!
//! Invariant: the head that it works from is its own last durable head. Whenever a commit's outcome
//! is in doubt it reads the head back; a head that is neither the old nor the new one halts the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc::UnboundedReceiver, oneshot};
use tokio::time::{sleep, timeout};

use super::entry::{Class, Kind, Leaf};
use super::keys::LogKeys;
use super::log::{Receipt, Settings, Shared, seal};
use super::merkle::Frontier;
use super::seal::{self as sealing, Draft, SealedEntry};
use super::store::{Appended, Batch, Head, Row, Store, StoreError};
use super::walk::Walk;
use crate::domain::causes::causes;

/// How long to leave a failing database alone.
const RETRY: Duration = Duration::from_millis(200);
/// Entries of one commit from which on the log counts as busy.
const BUSY: usize = 16;
/// How long a busy log gathers entries before the next commit. A commit costs much the same whether it holds ten
/// entries or a hundred; who asks alone never waits for this.
const GATHER: Duration = Duration::from_millis(2);
/// Entries taken into the search index at a time.
const INDEX_CHUNK: u64 = 512;
/// Entries that the search index may lag behind before indexing no longer waits for a quiet moment.
const INDEX_LAG: u64 = 65_536;

/// What comes to the sequencer.
#[expect(clippy::large_enum_variant, reason = "all but the last message are entries")]
pub(super) enum Message {
    /// An entry to append.
    Append(Job),
    /// Append what is queued, then end.
    Stop,
}

/// An entry to append, and who waits for it.
pub(super) struct Job {
    pub entry: SealedEntry,
    pub effect: Effect,
    /// Nobody waits for a closing entry: it is tried again until it is durable.
    pub reply: Option<oneshot::Sender<Result<Receipt, Unappended>>>,
    /// Room in the queue, given back when the job ends.
    pub room: Option<OwnedSemaphorePermit>,
}

/// What an entry does to the head, apart from extending it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    RaiseEpoch,
    MarkRestart,
}

/// Why an entry was not appended, though the log is well.
pub(super) enum Unappended {
    /// This policy epoch holds, and not the one that was judged under.
    Stale(u64),
    /// It closes what is not an open question, or should close one.
    Unfit,
}

/// Why the sequencer ended before it was told to.
pub(super) struct Halted(pub String);

pub(super) struct Sequencer<S> {
    store: S,
    keys: Arc<LogKeys>,
    clock: fn() -> Timestamp,
    shared: Arc<Shared>,
    queue: UnboundedReceiver<Message>,
    batch: usize,
    idle: Duration,
    tree: Frontier,
    head: Head,
    /// The questions not closed yet: each is closed once.
    open: HashSet<u64>,
    /// Closing entries that a failed commit left over.
    retained: Vec<Job>,
    failing: bool,
    busy: bool,
    indexing: bool,
    unindexed: u64,
}

/// The log after a batch.
struct Next {
    tree: Frontier,
    head: Head,
    places: Vec<[u8; 16]>,
}

impl<S: Store> Sequencer<S> {
    pub fn new(
        store: S,
        keys: Arc<LogKeys>,
        clock: fn() -> Timestamp,
        shared: Arc<Shared>,
        queue: UnboundedReceiver<Message>,
        settings: &Settings,
        recovered: (Walk, Head),
    ) -> Self {
        let (batch, idle) = (settings.batch.clamp(1, 1024), settings.idle);
        let (Walk { tree, open }, head) = recovered;
        let (open, retained) = (open.into_iter().collect(), Vec::new());
        let (failing, busy, indexing, unindexed) = (false, false, false, head.size);
        Self {
            store,
            keys,
            clock,
            shared,
            queue,
            batch,
            idle,
            tree,
            head,
            open,
            retained,
            failing,
            busy,
            indexing,
            unindexed,
        }
    }

    /// Appends what opening the log calls for, before anything else is taken.
    pub async fn start(&mut self, opening: Vec<Job>) -> Result<(), Halted> {
        let mut opening = opening.into_iter().peekable();
        while opening.peek().is_some() {
            self.commit(opening.by_ref().take(self.batch).collect()).await?;
            if self.failing {
                return Err(Halted("the database takes no entry".to_owned()));
            }
        }
        Ok(())
    }

    /// Appends until it is told to stop.
    pub async fn run(mut self) -> Result<(), Halted> {
        while let Some(jobs) = self.next_batch().await {
            let quiet = jobs.is_empty() && !self.queue.is_closed();
            self.busy = jobs.len() >= BUSY;
            self.commit(jobs).await?;
            if quiet && self.failing {
                self.probe().await?;
            } else if quiet || self.unindexed > INDEX_LAG {
                self.index().await?;
            }
            self.indexing = quiet && self.unindexed > 0;
        }
        if self.retained.is_empty() {
            self.publish().await
        } else {
            Err(Halted("closing entries are lost".into()))
        }
    }

    /// What to append next; empty when there is time to index; nothing at the end.
    async fn next_batch(&mut self) -> Option<Vec<Job>> {
        if self.busy {
            sleep(GATHER).await;
        }
        let taken = self.retained.len().min(self.batch);
        let mut jobs: Vec<Job> = self.retained.drain(..taken).collect();
        let room = (self.batch - jobs.len()).max(1);
        let mut messages = Vec::new();
        let wait = match (self.failing, jobs.is_empty()) {
            (true, _) => Some(RETRY),
            (false, false) => Some(Duration::ZERO),
            // A quiet moment that has begun is used until something comes.
            (false, true) if self.indexing => Some(Duration::ZERO),
            (false, true) => (self.unindexed > 0).then_some(self.idle),
        };
        let receive = self.queue.recv_many(&mut messages, room);
        let received = match wait {
            None => Some(receive.await),
            Some(wait) => timeout(wait, receive).await.ok(),
        };
        if received == Some(0) && (jobs.is_empty() || self.failing) {
            self.retained.extend(jobs);
            return None;
        }
        for message in messages {
            match message {
                Message::Append(job) => jobs.push(job),
                Message::Stop => self.queue.close(),
            }
        }
        Some(jobs)
    }

    async fn commit(&mut self, mut jobs: Vec<Job>) -> Result<(), Halted> {
        loop {
            self.admit(&mut jobs);
            if jobs.is_empty() {
                return Ok(());
            }
            let named = jobs.iter().filter(|job| job.entry.kind.class() == Class::Disclosure);
            self.shared.months.extend(named.map(|job| job.entry.period));
            let next = self.plan(&jobs);
            let places = jobs.iter().zip(&next.places);
            let rows: Vec<_> = places.map(|(job, place)| Row { entry: &job.entry, place: *place }).collect();
            let batch = Batch { expect: &self.head, next: &next.head, rows: &rows };
            let error = match self.store.append(batch).await {
                Ok(Appended::Committed) => {
                    self.acknowledge(jobs, next);
                    return Ok(());
                }
                Ok(Appended::Moved) => None,
                Err(error @ StoreError::Broken(_)) => return Err(Halted(causes(&error))),
                Err(error) => Some(error),
            };
            let stored = self.stored_head(&next.head).await?;
            if stored.size == next.head.size {
                self.acknowledge(jobs, next);
                return Ok(());
            }
            if stored.epoch == self.head.epoch {
                // What a database says is of disks and locks, never of what was to be written.
                let why = error.as_ref().map_or_else(|| "the head moved".to_owned(), |error| causes(error));
                tracing::warn!(error = why, "log append failed");
                self.give_up(jobs, why);
                return Ok(());
            }
            self.head.epoch = stored.epoch;
            self.shared.head.store(Arc::new(self.head.clone()));
        }
    }

    /// Drops what nobody waits for any more, and answers what cannot be appended. What passes can
    /// be appended in this order.
    fn admit(&self, jobs: &mut Vec<Job>) {
        let mut epoch = self.head.epoch;
        let mut closing = HashSet::new();
        jobs.retain_mut(|job| {
            if job.reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
                return false;
            }
            let entry = &job.entry;
            let unappended = if job.reply.is_some() && entry.epoch.is_some_and(|judged| judged != epoch) {
                Unappended::Stale(epoch)
            } else if !self.fits(entry, &closing) {
                Unappended::Unfit
            } else {
                epoch += u64::from(job.effect != Effect::None);
                closing.extend(entry.closes);
                return true;
            };
            job.reply.take().map(|reply| reply.send(Err(unappended)));
            false
        });
    }

    fn fits(&self, entry: &SealedEntry, closing: &HashSet<u64>) -> bool {
        match entry.closes {
            Some(asked) => self.open.contains(&asked) && !closing.contains(&asked),
            None => !entry.kind.must_close() && (entry.kind != Kind::Genesis || self.head.size == 0),
        }
    }

    fn plan(&self, jobs: &[Job]) -> Next {
        let mut tree = self.tree.clone();
        let mut head = self.head.clone();
        let mut places = Vec::with_capacity(jobs.len());
        for job in jobs {
            let (index, entry) = (tree.size(), &job.entry);
            places.push(self.keys.place_mac(index, &entry.leaf_hash, entry.closes));
            tree.append(entry.leaf_hash);
            match job.effect {
                Effect::None => {}
                Effect::RaiseEpoch => head.epoch += 1,
                // What was in force before the restart need not be what is now.
                Effect::MarkRestart => (head.restarted, head.epoch) = (index, head.epoch + 1),
            }
        }
        head.size = tree.size();
        head.root = tree.root();
        head.frontier = tree.encode();
        head.mac = self.keys.head_mac(head.size, &head.root, head.restarted);
        head.checkpoint.clone_from(&self.shared.checkpoint.load().note);
        Next { tree, head, places }
    }

    /// The stored head once the database answers: the old or the new one, or the log halts.
    async fn stored_head(&self, next: &Head) -> Result<Head, Halted> {
        loop {
            match self.store.head().await {
                Ok(stored) => {
                    let same = |head: &Head| {
                        (stored.size, stored.root, stored.mac) == (head.size, head.root, head.mac)
                    };
                    if !same(&self.head) && !same(next) {
                        return Err(Halted("the database holds a head that this log did not make".into()));
                    }
                    self.shared.answering();
                    return Ok(stored);
                }
                Err(error @ (StoreError::Broken(_) | StoreError::Row { .. } | StoreError::Head)) => {
                    return Err(Halted(causes(&error)));
                }
                Err(error) => {
                    self.shared.unavailable(causes(&error));
                    if self.shared.stopping() {
                        return Err(Halted(causes(&error)));
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// What was committed is acknowledged, and only that.
    fn acknowledge(&mut self, jobs: Vec<Job>, next: Next) {
        let from = self.head.size;
        self.unindexed += next.head.size - from;
        self.failing = false;
        self.shared.well();
        self.tree = next.tree;
        self.head = next.head;
        self.shared.head.store(Arc::new(self.head.clone()));
        for (index, job) in (from..).zip(jobs) {
            let Job { entry, reply, room, .. } = job;
            drop(room);
            entry.closes.map(|asked| self.open.remove(&asked));
            if entry.kind == Kind::Asked {
                self.open.insert(index);
            }
            let receipt = Receipt { index, entry_id: entry.entry_id };
            let gone = reply.is_some_and(|reply| reply.send(Ok(receipt)).is_err());
            if gone && entry.kind == Kind::Asked {
                self.interrupt(index, &entry);
            }
        }
    }

    /// Closes a question whose asker went away before it was in the log.
    fn interrupt(&mut self, index: u64, asked: &SealedEntry) {
        let leaf = Leaf::decode(&asked.leaf).ok();
        let opened = leaf.and_then(|leaf| sealing::open(&self.keys, &leaf, &asked.payload).ok());
        let now = (self.clock)();
        let draft = opened.map(|opened| Draft::interrupted(&opened.record, index, now));
        if let Some(Ok(entry)) = draft.map(|draft| seal(&self.keys, &draft, now)) {
            self.retained.push(Job { entry, effect: Effect::None, reply: None, room: None });
        }
    }

    /// Nothing was committed: who waits is told by the reply that is dropped, closing entries stay.
    fn give_up(&mut self, jobs: Vec<Job>, why: String) {
        self.failing = true;
        self.shared.failing(why);
        self.retained.extend(jobs.into_iter().filter(|job| job.reply.is_none()));
    }

    /// Appends nothing, to see whether the store takes appends again: where nobody writes, because health sends them
    /// away, nothing else would find out.
    async fn probe(&mut self) -> Result<(), Halted> {
        match self.store.append(Batch { expect: &self.head, next: &self.head, rows: &[] }).await {
            Ok(Appended::Committed) => {
                self.failing = false;
                self.shared.well();
            }
            Ok(Appended::Moved) => {
                self.head.epoch = self.stored_head(&self.head).await?.epoch;
                self.shared.head.store(Arc::new(self.head.clone()));
            }
            Err(error @ StoreError::Broken(_)) => return Err(Halted(causes(&error))),
            // It fails still, and is tried again.
            Err(_) => {}
        }
        Ok(())
    }

    async fn index(&mut self) -> Result<(), Halted> {
        match self.store.index(INDEX_CHUNK).await {
            Ok(remaining) => self.unindexed = remaining,
            Err(error @ StoreError::Broken(_)) => return Err(Halted(causes(&error))),
            Err(error) => {
                tracing::warn!(error = causes(&error), "search index not extended");
                self.unindexed = 0;
            }
        }
        Ok(())
    }

    /// Leaves the last checkpoint in the database, for whoever verifies the file.
    async fn publish(&mut self) -> Result<(), Halted> {
        let mut next = self.head.clone();
        next.checkpoint = self.shared.sign(&self.head);
        let batch = Batch { expect: &self.head, next: &next, rows: &[] };
        self.store.append(batch).await.map(|_| ()).map_err(|error| Halted(error.to_string()))
    }
}
