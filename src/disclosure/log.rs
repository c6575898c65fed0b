//! The log as the gateway sees it: append and wait, or append and go on.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::checkpoint::VerifierKey;
use super::entry::Kind;
use super::high_water;
use super::keys::LogKeys;
use super::months::Months;
use super::published::{Mark, keep};
use super::read::Reader;
use super::recover::recover;
use super::seal::{Draft, SealError, SealedEntry};
use super::sequencer::{Effect, Halted, Job, Message, Sequencer, Unappended};
use super::store::{Head, Store};

pub use super::published::Health;
pub(super) use super::published::Shared;
pub use super::recover::OpenError;

/// How a log behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The log's name, for ever: it stands in GENESIS and in every checkpoint.
    pub origin: String,
    /// How long an append may take before its caller must do without.
    pub deadline: Duration,
    /// How many appends may wait; closing entries come on top.
    pub queue: usize,
    /// How many entries one transaction takes at most; 1,024 is the most that a store takes.
    pub batch: usize,
    /// How long nothing must come before the search index is extended.
    pub idle: Duration,
    /// How often a checkpoint is signed and the high-water mark moved.
    pub publish: Duration,
    /// Open a log whose high-water mark is lost, with an INCIDENT entry.
    pub accept_missing_mark: bool,
    /// Under what the log is started; the entry of the start says it.
    pub policy: Option<InForce>,
}

/// What is in force at a start.
#[derive(Clone, Debug)]
pub struct InForce {
    /// Hash of the registry.
    pub registry: [u8; 32],
    /// Hashes of what else there is, as text.
    pub detail: String,
}

impl Settings {
    /// The usual settings under this name.
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            deadline: Duration::from_secs(2),
            queue: 4096,
            batch: 512,
            idle: Duration::from_millis(200),
            publish: Duration::from_secs(1),
            accept_missing_mark: false,
            policy: None,
        }
    }
}

/// Proof that an entry is durable, for whoever is to release something on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's place in the log.
    pub index: u64,
    /// The entry's id.
    pub entry_id: Uuid,
}

/// A log that is open for appending. One thread of its own writes it.
#[derive(Debug)]
pub struct Log {
    keys: Arc<LogKeys>,
    clock: fn() -> Timestamp,
    deadline: Duration,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    queue: UnboundedSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: watch::Receiver<bool>,
}

impl Log {
    /// Opens the log, or starts it in a store that was never written to. Checks every leaf against
    /// the head and the head against the high-water mark in the file `mark`; closes questions that
    /// the last process left open. Call within a tokio runtime.
    pub async fn open<S: Store>(
        store: S,
        keys: Arc<LogKeys>,
        mark: PathBuf,
        settings: Settings,
        clock: fn() -> Timestamp,
    ) -> Result<Self, OpenError> {
        let recovered = recover(&store, &keys, &mark, &settings, clock()).await?;
        high_water::prove(&mark).map_err(|source| OpenError::Mark { mark: mark.clone(), source })?;
        let mark = Mark { path: mark, origin: settings.origin.clone(), keys: keys.clone() };
        let shared = Arc::new(Shared::new(mark, Months::new(recovered.months), &recovered.head));
        let (queue, received) = unbounded_channel();
        let last = recovered.opening.len().saturating_sub(1);
        let mut opening = Vec::new();
        for (at, draft) in recovered.opening.iter().enumerate() {
            let entry = seal(&keys, draft, clock()).map_err(|_| OpenError::Unwritable)?;
            let effect = if at == last { Effect::MarkRestart } else { Effect::None };
            opening.push(Job { entry, effect, reply: None, room: None });
        }
        let place = (recovered.walk, recovered.head);
        let mut sequencer =
            Sequencer::new(store, keys.clone(), clock, shared.clone(), received, &settings, place);
        sequencer.start(opening).await.map_err(|Halted(reason)| {
            tracing::error!(reason, "the log cannot be opened");
            OpenError::Unwritable
        })?;
        let mark = shared.mark.path.clone();
        shared.publish().map_err(|source| OpenError::Mark { mark, source })?;
        let (thread, ended) = spawn(sequencer, shared.clone(), settings.publish).map_err(OpenError::System)?;
        Ok(Self {
            keys,
            clock,
            deadline: settings.deadline,
            shared,
            room: Arc::new(Semaphore::new(settings.queue)),
            queue,
            thread: Mutex::new(Some(thread)),
            ended,
        })
    }

    /// Appends an entry, and waits until it is durable. On any error the caller must release
    /// nothing; the entry may be in the log all the same. An ASKED entry whose caller goes away
    /// while waiting is closed as INTERRUPTED.
    pub async fn append(&self, draft: Draft) -> Result<Receipt, AppendError> {
        self.submit(draft, Effect::None).await
    }

    /// Appends a CONFIG entry and raises the policy epoch with it: whatever was judged under the
    /// epoch before and is not durable yet, is stale.
    ///
    /// Waits until the outcome is known, however long: after an error the epoch is what it was. An epoch that
    /// was raised unnoticed would leave every answer stale under a policy that never comes.
    pub async fn raise_epoch(&self, draft: Draft) -> Result<Receipt, AppendError> {
        self.submit(draft, Effect::RaiseEpoch).await
    }

    /// Appends an entry that nobody waits for: one that closes a question. As long as the process
    /// lives it is tried until it is durable; its policy epoch is not looked at. Where the question
    /// is closed by then it is dropped, so that it may follow an append whose outcome is unknown.
    pub fn close_later(&self, draft: &Draft) {
        match seal(&self.keys, draft, (self.clock)()) {
            Ok(entry) => {
                let job = Job { entry, effect: Effect::None, reply: None, room: None };
                if self.queue.send(Message::Append(job)).is_err() {
                    tracing::error!("closing entry after the log's end: the next start will close it");
                }
            }
            Err(error) => tracing::error!(?error, "closing entry not sealed: the next start will close it"),
        }
    }

    /// Reads entries back from the store that the log is on.
    pub fn reader<S: Store>(&self, store: S) -> Reader<S> {
        Reader::new(store, self.keys.clone(), self.shared.months.clone())
    }

    /// The last durable head.
    pub fn head(&self) -> Arc<Head> {
        self.shared.head.load_full()
    }

    /// The policy epoch of the last durable head.
    pub fn epoch(&self) -> u64 {
        self.shared.head.load().epoch
    }

    /// The last published checkpoint, as a signed note.
    pub fn checkpoint(&self) -> String {
        self.shared.checkpoint.load().note.clone()
    }

    /// The public key that opens checkpoints; its text form is for auditors.
    pub fn verifier(&self) -> VerifierKey {
        self.keys.verifier(&self.shared.mark.origin)
    }

    /// Whether appends can work, and what is wrong otherwise.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Appends what is queued, moves the high-water mark to the end, and ends the log's thread.
    /// Whatever comes later is refused.
    pub async fn shutdown(&self) {
        self.shared.stop();
        // A queue without receiver: the log has halted already.
        let _ = self.queue.send(Message::Stop);
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It has nothing left to do but return.
            let _ = thread.join();
        }
    }

    async fn submit(&self, draft: Draft, effect: Effect) -> Result<Receipt, AppendError> {
        if self.shared.closed() {
            return Err(AppendError::Unavailable);
        }
        let room = self.room.clone().try_acquire_owned().map_err(|_| AppendError::Unavailable)?;
        let entry = seal(&self.keys, &draft, (self.clock)())?;
        let (reply, answer) = oneshot::channel();
        let job = Job { entry, effect, reply: Some(reply), room: Some(room) };
        self.queue.send(Message::Append(job)).map_err(|_| AppendError::Unavailable)?;
        let mut waiting = Waiting { log: self, draft, answer };
        let answer = match effect {
            Effect::RaiseEpoch => (&mut waiting.answer).await,
            Effect::None | Effect::MarkRestart => match timeout(self.deadline, &mut waiting.answer).await {
                Ok(answer) => answer,
                Err(_) => return Err(AppendError::Unavailable),
            },
        };
        match answer {
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(Unappended::Stale(epoch))) => Err(AppendError::Stale { epoch }),
            Ok(Err(Unappended::Unfit)) => Err(AppendError::Unfit),
            // Nothing was committed.
            Err(_) => Err(AppendError::Unavailable),
        }
    }
}

/// An append under way. When it is given up after all and its question is in the log, the question
/// is closed.
struct Waiting<'a> {
    log: &'a Log,
    draft: Draft,
    answer: oneshot::Receiver<Result<Receipt, Unappended>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if self.draft.kind == Kind::Asked
            && let Ok(Ok(receipt)) = self.answer.try_recv()
        {
            let now = (self.log.clock)();
            self.log.close_later(&Draft::interrupted(&self.draft.record, receipt.index, now));
        }
    }
}

/// Seals with fresh randomness.
pub(super) fn seal(keys: &LogKeys, draft: &Draft, now: Timestamp) -> Result<SealedEntry, AppendError> {
    let mut random = zeroize::Zeroizing::new([0; 42]);
    getrandom::fill(&mut random[..]).map_err(|_| AppendError::Unavailable)?;
    super::seal::seal(keys, draft, now, &random).map_err(|error| match error {
        SealError::TooLarge => AppendError::TooLarge,
        SealError::Cipher => AppendError::Unavailable,
    })
}

type Running = (JoinHandle<()>, watch::Receiver<bool>);

/// The log's threads: the sequencer, which starts and ends the one that moves the mark.
fn spawn<S: Store>(sequencer: Sequencer<S>, shared: Arc<Shared>, every: Duration) -> io::Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (ended, watched) = watch::channel(false);
    let (stop, stopped) = mpsc::channel();
    let keeper = {
        let shared = shared.clone();
        std::thread::Builder::new().name("log-mark".into()).spawn(move || keep(&stopped, &shared, every))?
    };
    let thread = std::thread::Builder::new().name("log".into()).spawn(move || {
        if let Err(Halted(reason)) = runtime.block_on(sequencer.run()) {
            tracing::error!(reason, "the log has halted: nothing more is disclosed");
            shared.halt(reason);
        }
        drop(stop);
        // The mark's last move; a panic there must not keep the shutdown waiting.
        let _ = keeper.join();
        let _ = ended.send(true);
    })?;
    Ok((thread, watched))
}

/// Why an entry is not known to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The log is full, slow, broken or closed.
    Unavailable,
    /// Another policy epoch holds: decide again. The entry is not in the log.
    Stale {
        /// The epoch that holds.
        epoch: u64,
    },
    /// The record is longer than `MAX_RECORD`. The entry is not in the log.
    TooLarge,
    /// The entry closes no open question, though its kind or record says so. It is not in the log.
    Unfit,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => f.write_str("the disclosure log is unavailable"),
            Self::Stale { epoch } => write!(f, "policy epoch {epoch} holds by now"),
            Self::TooLarge => f.write_str("the record is too large for the disclosure log"),
            Self::Unfit => f.write_str("the entry does not close an open question"),
        }
    }
}

impl std::error::Error for AppendError {}
