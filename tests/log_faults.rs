//! What the log does when its store does not do its duty: nothing is acknowledged that is not
//! there, and nothing that must be closed is lost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod log_common;

use log_common::{ORIGIN, Site, Trouble, Troubled, asked, closing, config};
use sluis::disclosure::entry::Kind;
use sluis::disclosure::log::{AppendError, Health, Log, OpenError, Settings};
use sluis::disclosure::store::Store as _;
use sluis::store::sqlite::{OpenSqliteError, SqliteSettings, SqliteStore};

#[tokio::test]
async fn after_trouble_the_head_tells_what_happened() {
    // (trouble, acknowledged, in the store, well afterwards)
    for (at, (trouble, acknowledged, stored, well)) in [
        (Trouble::Fills, false, false, true),
        (Trouble::FailsAfterCommit, true, true, true),
        (Trouble::FailsAfterCommitAndBlind(2), true, true, true),
        (Trouble::Breaks, false, false, false),
        (Trouble::Overtaken, false, true, false),
    ]
    .into_iter()
    .enumerate()
    {
        let site = Site::new(&format!("trouble-{at}"));
        let store = Troubled::new(site.store().await);
        let log = site.open(store.clone()).await.unwrap();
        store.meet(trouble);
        let outcome = log.append(asked("A")).await;
        assert_eq!(outcome.is_ok(), acknowledged, "trouble {at}");
        let reader = log.reader(store.clone());
        assert_eq!(reader.size().await.unwrap() == 3, stored, "trouble {at}");

        let failed = matches!(log.health(), Health::Failing(_));
        assert_eq!(failed, !stored && well, "trouble {at}: {:?}", log.health());

        store.fill(false);
        let next = log.append(config("next")).await;
        assert_eq!(next.is_ok(), well, "trouble {at}");
        log.shutdown().await;
        assert_eq!(log.health() == Health::Well, well, "trouble {at}");
        assert_eq!(matches!(log.health(), Health::Halted(_)), !well, "trouble {at}");
        store.inner.close().await;
        let verified = site.verify().await;
        assert_eq!(verified.is_ok(), !stored || acknowledged, "trouble {at}: {verified:?}");
    }
}

#[tokio::test]
async fn a_log_that_nobody_writes_to_becomes_well_by_itself() {
    let site = Site::new("by-itself");
    let store = Troubled::new(site.store().await);
    let log = site.open(store.clone()).await.unwrap();
    store.fill(true);
    log.append(asked("A")).await.unwrap_err();
    assert!(matches!(log.health(), Health::Failing(_)), "{:?}", log.health());
    // The first that is not refused is the log's own attempt; it is held, so that it is seen before and after.
    let (begun, go) = store.hold();
    store.fill(false);
    begun.notified().await;
    assert!(matches!(log.health(), Health::Failing(_)), "{:?}", log.health());
    go.notify_one();
    log.shutdown().await;
    assert_eq!((log.health(), log.head().size), (Health::Well, 2), "nothing was appended for it");
}

#[tokio::test]
async fn a_store_that_breaks_while_it_indexes_halts_the_log() {
    let site = Site::new("rotten");
    let store = Troubled::new(site.store().await);
    let settings = Settings { idle: std::time::Duration::ZERO, ..Settings::new(ORIGIN) };
    let indexed = store.rot();
    let log = site.open_with(store.clone(), settings).await.unwrap();
    indexed.notified().await;
    log.shutdown().await;
    assert!(matches!(log.health(), Health::Halted(_)), "{:?}", log.health());
}

#[tokio::test]
async fn closing_entries_outlive_a_failing_store() {
    let site = Site::new("outlive");
    let store = Troubled::new(site.store().await);
    let log = site.open(store.clone()).await.unwrap();
    let question = log.append(asked("A")).await.unwrap().index;
    for _ in 0..3 {
        store.meet(Trouble::Fails);
    }
    log.close_later(&closing(Kind::Failed, "A", question));
    // Goes with the closing entry into the same doubtful batches, or behind them.
    while log.append(config("meanwhile")).await.is_err() {}
    log.shutdown().await;
    store.inner.close().await;
    let report = site.verify().await.unwrap();
    assert_eq!((report.size, report.open), (5, 0));
}

#[tokio::test]
async fn an_answer_that_could_not_be_logged_may_be_closed_as_failed() {
    let site = Site::new("closed-as-failed");
    let store = Troubled::new(site.store().await);
    let log = site.open(store.clone()).await.unwrap();
    for trouble in [Trouble::Fails, Trouble::FailsAfterCommit] {
        let question = log.append(asked("A")).await.unwrap().index;
        store.meet(trouble);
        let _ = log.append(closing(Kind::Released, "A", question)).await;
        log.close_later(&closing(Kind::Failed, "A", question));
    }
    log.shutdown().await;
    store.inner.close().await;
    let report = site.verify().await.unwrap();
    assert_eq!((report.size, report.open), (6, 0), "each question is closed once");
}

#[tokio::test]
async fn a_full_store_takes_nothing_and_loses_nothing() {
    let site = Site::new("full");
    let settings = SqliteSettings { max_pages: Some(60), ..SqliteSettings::new(site.database()) };
    let store = SqliteStore::open(settings).await.unwrap();
    let log = site.open(store.clone()).await.unwrap();
    let mut acknowledged = Vec::new();
    let refused = loop {
        match log.append(asked(&"A".repeat(1000))).await {
            Ok(receipt) => acknowledged.push(receipt),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 1000, "never full");
    };
    assert_eq!(refused, AppendError::Unavailable);
    log.shutdown().await;
    let entries = log.reader(store.clone()).entries(2..10_000).await.unwrap();
    let stored: Vec<_> = entries.iter().map(|entry| (entry.index, entry.leaf.entry_id)).collect();
    let acknowledged: Vec<_> = acknowledged.iter().map(|receipt| (receipt.index, receipt.entry_id)).collect();
    assert_eq!(stored, acknowledged);
    store.close().await;
    let report = site.verify().await.unwrap();
    assert_eq!(report.open, acknowledged.len());
}

#[tokio::test]
async fn a_mark_that_cannot_be_written_is_told() {
    let site = Site::new("mark-fails");
    let mark = site.folder.join("marks");
    std::fs::create_dir(&mark).unwrap();
    std::fs::create_dir(mark.join("mark")).unwrap();
    let keys = site.keys.clone();
    let settings = Settings::new(ORIGIN);
    let opened = Log::open(site.store().await, keys, mark.join("mark"), settings, sluis::clock::now);
    assert!(matches!(opened.await, Err(OpenError::Mark { .. })));
}

#[tokio::test]
async fn a_log_whose_mark_has_no_folder_does_not_begin() {
    let site = Site::new("mark-nowhere");
    let store = site.store().await;
    let marks = site.folder.join("marks");
    let open = async || {
        let (keys, settings) = (site.keys.clone(), Settings::new(ORIGIN));
        Log::open(store.clone(), keys, marks.join("mark"), settings, sluis::clock::now).await
    };
    for _ in 0..3 {
        let opened = open().await;
        assert!(matches!(opened, Err(OpenError::Mark { .. })), "{opened:?}");
        assert_eq!(store.head().await.unwrap().size, 0, "nothing was appended");
    }
    std::fs::create_dir(&marks).unwrap();
    open().await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_schema_of_the_future_is_refused() {
    let site = Site::new("future");
    site.store().await.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(site.database());
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let future = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                  VALUES (9999, 'later', TRUE, x'00', 0)";
    sqlx::query(future).execute(&mut other).await.unwrap();
    let written = SqliteStore::open(SqliteSettings::new(site.database())).await;
    assert!(matches!(written, Err(OpenSqliteError::Newer(9999))), "{written:?}");
    let read = SqliteStore::open_to_read(SqliteSettings::new(site.database())).await;
    assert!(matches!(read, Err(OpenSqliteError::Newer(9999))), "{read:?}");
}

#[tokio::test]
async fn a_new_epoch_is_waited_for_until_it_is_known() {
    let site = Site::new("slow-epoch");
    let store = Troubled::new(site.store().await);
    let impatient = Settings { deadline: std::time::Duration::ZERO, ..Settings::new(ORIGIN) };
    let log = site.open_with(store.clone(), impatient).await.unwrap();
    let (begun, go) = store.hold();
    let slow_disk = async {
        begun.notified().await;
        go.notify_one();
    };
    let (raised, ()) = tokio::join!(log.raise_epoch(config("another registry")), slow_disk);
    assert!(raised.is_ok() && log.epoch() == 2);
    store.meet(Trouble::Fails);
    assert_eq!(log.raise_epoch(config("a third")).await, Err(AppendError::Unavailable));
    log.shutdown().await;
    assert_eq!(log.epoch(), 2, "after an error it is what it was");
}

#[tokio::test]
async fn a_log_has_one_writer_and_its_files_one_reader() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new("alone");
    let store = site.store().await;
    let alias = site.folder.join("alias.db");
    std::os::unix::fs::symlink(site.database(), &alias).unwrap();
    for name in [site.database(), site.folder.join("../alone/log.db"), alias] {
        let second = SqliteStore::open(SqliteSettings::new(&name)).await;
        assert!(matches!(second, Err(OpenSqliteError::Taken)), "{}: {second:?}", name.display());
    }
    for file in ["log.db", "log.db-wal", "log.db-shm", "log.db.lock"] {
        let mode = std::fs::metadata(site.folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    store.close().await;
    site.store().await;
}
