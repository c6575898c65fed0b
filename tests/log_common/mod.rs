//! A log in a folder of its own, and a store that fails on command.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sluis::disclosure::entry::Kind;
use sluis::disclosure::keys::{LogKeys, Token, TokenKind};
use sluis::disclosure::log::{Log, OpenError, Settings};
use sluis::disclosure::record::{Column, RecordBuilder};
use sluis::disclosure::seal::Draft;
use sluis::disclosure::store::{Appended, Batch, Head, Store, StoreError, StoredLeaf, StoredPayload};
use sluis::disclosure::verify::{Evidence, Report, VerifyError, verify};
use sluis::store::sqlite::{SqliteSettings, SqliteStore};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::Notify;

pub const ORIGIN: &str = "test.example/disclosures";

/// Where a log lives.
pub struct Site {
    pub folder: PathBuf,
    pub keys: Arc<LogKeys>,
}

impl Site {
    /// An empty folder.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self::at(folder)
    }

    /// A folder as it is.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, keys: Arc::new(LogKeys::from_secret(&[42; 64])) }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("log.db")
    }

    pub fn mark(&self) -> PathBuf {
        self.folder.join("mark")
    }

    pub async fn store(&self) -> SqliteStore {
        SqliteStore::open(SqliteSettings::new(self.database())).await.unwrap()
    }

    /// Opens the log on a store.
    pub async fn open<S: Store>(&self, store: S) -> Result<Log, OpenError> {
        self.open_with(store, Settings::new(ORIGIN)).await
    }

    pub async fn open_with<S: Store>(&self, store: S, settings: Settings) -> Result<Log, OpenError> {
        Log::open(store, self.keys.clone(), self.mark(), settings, sluis::clock::now).await
    }

    /// Verifies with everything there is.
    pub async fn verify(&self) -> Result<Report, VerifyError> {
        let note = std::fs::read_to_string(self.mark()).unwrap();
        self.verify_by(Some(&self.keys), &[note]).await
    }

    /// Verifies as somebody who holds these.
    pub async fn verify_by(&self, keys: Option<&LogKeys>, notes: &[String]) -> Result<Report, VerifyError> {
        let store = SqliteStore::open_to_read(SqliteSettings::new(self.database())).await.unwrap();
        let verifier = self.keys.verifier(ORIGIN);
        let evidence = Evidence { verifier: &verifier, keys, notes };
        let outcome = verify(&store, &evidence, |_, _| {}).await;
        store.close().await;
        outcome
    }
}

/// A log of 26 entries, all in the search index: 0 GENESIS, 1 CONFIG, then ASKED and RELEASED by turns about
/// `subject 0` to `subject 9`, and at the end two questions before their answers: 22 and 23 ASKED, 24 closes 22, 25
/// closes 23.
pub async fn build(site: &Site) {
    let store = site.store().await;
    let log = site.open(store.clone()).await.unwrap();
    for turn in 0..10 {
        let subject = format!("subject {turn}");
        let question = log.append(asked(&subject)).await.unwrap().index;
        log.append(closing(Kind::Released, &subject, question)).await.unwrap();
    }
    for question in [log.append(asked("a")).await, log.append(asked("b")).await] {
        log.append(closing(Kind::Released, "a", question.unwrap().index)).await.unwrap();
    }
    log.shutdown().await;
    while store.index(1000).await.unwrap() > 0 {}
    store.close().await;
}

/// Does to a database what its administrator may.
pub async fn attack(database: &Path, sql: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    for statement in [
        "DROP TRIGGER log_entry_no_update",
        "DROP TRIGGER log_entry_no_delete",
        "DROP TRIGGER log_payload_no_update",
        "DROP TRIGGER log_payload_no_delete",
        sql,
    ] {
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    sqlx::Connection::close(connection).await.unwrap();
}

/// A question about a made-up person.
pub fn asked(subject: &str) -> Draft {
    let mut record = RecordBuilder::new();
    record.text(Column::Requester, "0207.437.468").text(Column::Case, "GAS/2026/114");
    record.text(Column::Purpose, "parking-offender").text(Column::SubjectAsked, subject);
    Draft::new(Kind::Asked, record.build())
}

/// An entry that closes a question.
pub fn closing(kind: Kind, subject: &str, asked: u64) -> Draft {
    let mut record = RecordBuilder::new();
    record.text(Column::Requester, "0207.437.468").text(Column::SubjectAsked, subject);
    record.text(Column::Outcome, kind.name()).number(Column::Asked, asked);
    Draft::new(kind, record.build())
}

pub fn config(detail: &str) -> Draft {
    Draft::new(Kind::Config, RecordBuilder::new().text(Column::Detail, detail).build())
}

/// What the next append meets.
pub enum Trouble {
    /// It fails, and nothing was written.
    Fails,
    /// The same, and so do all after it until the store is emptied.
    Fills,
    /// It fails, and everything was written.
    FailsAfterCommit,
    /// It fails, and so does reading the head back, this many times.
    FailsAfterCommitAndBlind(u32),
    /// Somebody else has moved the head.
    Overtaken,
    /// The hardware fails.
    Breaks,
    /// It says that it has begun, and waits to be let go.
    Waits { begun: Arc<Notify>, go: Arc<Notify> },
}

/// SQLite with troubles.
#[derive(Clone)]
pub struct Troubled {
    pub inner: SqliteStore,
    pub troubles: Arc<Mutex<VecDeque<Trouble>>>,
    blind: Arc<Mutex<u32>>,
    full: Arc<AtomicBool>,
    rotten: Arc<AtomicBool>,
    indexed: Arc<Notify>,
}

impl Troubled {
    pub fn new(inner: SqliteStore) -> Self {
        let (troubles, blind) = (Arc::default(), Arc::default());
        Self { inner, troubles, blind, full: Arc::default(), rotten: Arc::default(), indexed: Arc::default() }
    }

    /// From here on every append fails, and nothing is written; or none does.
    pub fn fill(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// The search index is corrupt; returns what tells that it was to be extended.
    pub fn rot(&self) -> Arc<Notify> {
        self.rotten.store(true, Ordering::SeqCst);
        self.indexed.clone()
    }

    pub fn meet(&self, trouble: Trouble) {
        self.troubles.lock().unwrap().push_back(trouble);
    }

    /// The next append waits; returns what it tells when it has begun, and what lets it go.
    pub fn hold(&self) -> (Arc<Notify>, Arc<Notify>) {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        self.meet(Trouble::Waits { begun: begun.clone(), go: go.clone() });
        (begun, go)
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("made to fail".into())
}

impl Store for Troubled {
    async fn head(&self) -> Result<Head, StoreError> {
        let blind = {
            let mut blind = self.blind.lock().unwrap();
            let was = *blind;
            *blind = was.saturating_sub(1);
            was > 0
        };
        if blind { Err(gone()) } else { self.inner.head().await }
    }

    async fn append(&self, batch: Batch<'_>) -> Result<Appended, StoreError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(gone());
        }
        let trouble = self.troubles.lock().unwrap().pop_front();
        match trouble {
            None => self.inner.append(batch).await,
            Some(Trouble::Fails) => Err(gone()),
            Some(Trouble::Fills) => {
                self.fill(true);
                Err(gone())
            }
            Some(Trouble::Breaks) => Err(StoreError::Broken("made to break".into())),
            Some(Trouble::FailsAfterCommit) => {
                self.inner.append(batch).await?;
                Err(gone())
            }
            Some(Trouble::FailsAfterCommitAndBlind(times)) => {
                self.inner.append(batch).await?;
                *self.blind.lock().unwrap() = times;
                Err(gone())
            }
            Some(Trouble::Overtaken) => {
                let next = Head { mac: [0; 32], ..batch.next.clone() };
                self.inner.append(Batch { next: &next, ..batch }).await?;
                self.inner.append(batch).await
            }
            Some(Trouble::Waits { begun, go }) => {
                begun.notify_one();
                go.notified().await;
                self.inner.append(batch).await
            }
        }
    }

    async fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredLeaf>, StoreError> {
        self.inner.leaves(range).await
    }

    async fn payloads(&self, range: Range<u64>) -> Result<Vec<StoredPayload>, StoreError> {
        self.inner.payloads(range).await
    }

    async fn beyond(&self, size: u64) -> Result<Option<u64>, StoreError> {
        self.inner.beyond(size).await
    }

    async fn find(
        &self,
        kind: TokenKind,
        tokens: &[Token],
        range: Range<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.inner.find(kind, tokens, range, limit).await
    }

    async fn index(&self, limit: u64) -> Result<u64, StoreError> {
        if self.rotten.load(Ordering::SeqCst) {
            self.indexed.notify_one();
            return Err(StoreError::Broken("made to break".into()));
        }
        self.inner.index(limit).await
    }

    async fn unsearchable(&self, range: Range<u64>) -> Result<Option<u64>, StoreError> {
        self.inner.unsearchable(range).await
    }

    async fn misfiled(&self, kind: TokenKind, first: RangeInclusive<u8>) -> Result<Option<u64>, StoreError> {
        self.inner.misfiled(kind, first).await
    }
}
