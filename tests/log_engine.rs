//! What the log promises while all goes well.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod log_common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use log_common::{ORIGIN, Site, Troubled, asked, closing, config};
use sluis::disclosure::checkpoint::{Checkpoint, VerifierKey};
use sluis::disclosure::entry::Kind;
use sluis::disclosure::keys::TokenKind;
use sluis::disclosure::log::{AppendError, Log, Settings};
use sluis::disclosure::record::{Column, RecordBuilder};
use sluis::disclosure::seal::Draft;
use sluis::disclosure::store::Store;
use tokio::task::JoinSet;

async fn exchange(log: &Log, subject: &str) -> u64 {
    let question = log.append(asked(subject)).await.unwrap();
    log.append(closing(Kind::Released, subject, question.index)).await.unwrap().index
}

#[tokio::test]
async fn a_log_begins_with_its_origin_and_each_start() {
    let site = Site::new("begins");
    for starts in 1..=2 {
        let store = site.store().await;
        let log = site.open(store.clone()).await.unwrap();
        assert_eq!(log.head().size, 1 + starts);
        let entries = log.reader(store.clone()).entries(0..10).await.unwrap();
        assert_eq!(entries[0].leaf.kind, Kind::Genesis);
        assert_eq!(entries[0].opened.record.text(Column::Detail), Some(ORIGIN));
        assert!(entries[1..].iter().all(|entry| entry.leaf.kind == Kind::Config));
        log.shutdown().await;
        store.close().await;
    }
    let report = site.verify().await.unwrap();
    assert_eq!((report.size, report.signed, report.open), (3, 3, 0));
}

#[tokio::test]
async fn the_checkpoint_opens_with_the_public_key() {
    let site = Site::new("checkpoint");
    let log = site.open(site.store().await).await.unwrap();
    exchange(&log, "A").await;
    log.shutdown().await;
    let verifier: VerifierKey = log.verifier().to_string().parse().unwrap();
    assert_eq!(verifier, site.keys.verifier(ORIGIN));
    let head = log.head();
    let expected = Checkpoint { origin: ORIGIN.to_owned(), size: 4, root: head.root };
    assert_eq!(verifier.open(&log.checkpoint()), Ok(expected));
    assert_eq!(std::fs::read_to_string(site.mark()).unwrap(), log.checkpoint());
    assert_eq!(log.append(asked("A")).await, Err(AppendError::Unavailable), "after the shutdown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_an_append_stands_before_it() {
    let site = Site::new("concurrent");
    let store = site.store().await;
    let log = Arc::new(site.open(store.clone()).await.unwrap());
    let newest = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let (log, newest) = (log.clone(), newest.clone());
        tasks.spawn(async move {
            let mut indexes = Vec::new();
            for turn in 0..25 {
                let before = newest.load(Ordering::SeqCst);
                let receipt = log.append(asked(&format!("{task}/{turn}"))).await.unwrap();
                assert!(receipt.index > before);
                newest.fetch_max(receipt.index, Ordering::SeqCst);
                log.close_later(&closing(Kind::Failed, "x", receipt.index));
                indexes.push(receipt.index);
            }
            indexes
        });
    }
    let mut indexes = tasks.join_all().await.concat();
    indexes.sort_unstable();
    indexes.dedup();
    assert_eq!(indexes.len(), 200, "every entry has an index of its own");
    log.shutdown().await;
    store.close().await;
    let report = site.verify().await.unwrap();
    assert_eq!((report.size, report.open), (402, 0), "closing entries are never lost");
}

#[tokio::test]
async fn entries_are_found_by_what_they_name_indexed_or_not() {
    let site = Site::new("find");
    let store = site.store().await;
    // Never idle: the test says how far the index reaches.
    let settings = Settings { idle: Duration::from_hours(1), ..Settings::new(ORIGIN) };
    let log = site.open_with(store.clone(), settings).await.unwrap();
    for turn in 0..10 {
        exchange(&log, if turn % 2 == 0 { "even" } else { "odd" }).await;
    }
    log.shutdown().await;
    let reader = log.reader(store.clone());
    let indexes = async |value: &str, range, limit| {
        let found = reader.find(TokenKind::Subject, value.as_bytes(), range, limit).await.unwrap();
        (found.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), found.next)
    };
    // However far the index reaches, the answer is the same.
    for remaining in [15, 8, 1, 0] {
        let odd = vec![4, 5, 8, 9, 12, 13, 16, 17, 20, 21];
        assert_eq!(indexes("odd", 0..100, 100).await, (odd.clone(), None), "{remaining} left");
        assert_eq!(indexes("odd", 0..22, 4).await, (odd[..4].to_vec(), Some(10)), "{remaining} left");
        assert_eq!(indexes("odd", 10..18, 100).await, (odd[4..8].to_vec(), None), "{remaining} left");
        assert_eq!(indexes("nobody", 0..100, 100).await, (vec![], None));
        assert_eq!(store.index(7).await.unwrap(), remaining);
    }
    let cases = reader.find(TokenKind::Case, b"GAS/2026/114", 0..100, 100).await.unwrap();
    assert_eq!(cases.entries.len(), 10);
    assert!(cases.entries.iter().all(|entry| entry.leaf.kind == Kind::Asked));
}

#[tokio::test]
async fn a_log_verifies_while_it_is_written() {
    let site = Site::new("live");
    let log = site.open(site.store().await).await.unwrap();
    let writing = async {
        for turn in 0..200 {
            exchange(&log, &turn.to_string()).await;
        }
    };
    let verifying = async {
        let mut sizes = Vec::new();
        for _ in 0..5 {
            sizes.push(site.verify().await.unwrap().size);
        }
        sizes
    };
    let ((), sizes) = tokio::join!(writing, verifying);
    assert!(sizes.is_sorted(), "{sizes:?}");
    log.shutdown().await;
    assert_eq!(site.verify().await.unwrap().size, 402);
}

#[tokio::test]
async fn a_question_is_closed_once() {
    let site = Site::new("once");
    let store = site.store().await;
    let log = site.open(store.clone()).await.unwrap();
    let question = log.append(asked("A")).await.unwrap().index;
    log.append(closing(Kind::Released, "A", question)).await.unwrap();
    for unfit in [
        closing(Kind::Refused, "A", question),
        closing(Kind::Failed, "A", question + 1),
        closing(Kind::Interrupted, "A", 99),
        Draft::new(Kind::Released, RecordBuilder::new().build()),
        Draft::new(Kind::Genesis, RecordBuilder::new().build()),
    ] {
        log.close_later(&unfit);
        assert_eq!(log.append(unfit).await, Err(AppendError::Unfit));
    }
    // Refused without being asked.
    log.append(Draft::new(Kind::Refused, RecordBuilder::new().build())).await.unwrap();
    log.shutdown().await;
    store.close().await;
    let report = site.verify().await.unwrap();
    assert_eq!((report.size, report.open), (5, 0));
}

#[tokio::test]
async fn what_was_judged_under_another_epoch_is_not_appended() {
    let site = Site::new("epoch");
    let store = Troubled::new(site.store().await);
    let log = site.open(store.clone()).await.unwrap();
    let judged = |epoch| Draft { epoch: Some(epoch), ..config("judged") };
    // A start raises it: nobody knows what was in force before.
    assert_eq!(log.epoch(), 1);
    assert_eq!(log.append(judged(0)).await, Err(AppendError::Stale { epoch: 1 }));
    assert_eq!(log.append(judged(2)).await, Err(AppendError::Stale { epoch: 1 }));
    log.append(judged(1)).await.unwrap();
    log.raise_epoch(config("raised")).await.unwrap();
    assert_eq!(log.epoch(), 2);
    assert_eq!(log.append(judged(1)).await, Err(AppendError::Stale { epoch: 2 }));

    // In one batch: whatever stands after the change is stale, the rest goes on.
    let (begun, go) = store.hold();
    let first = log.append(config("held"));
    let batch = async {
        begun.notified().await;
        let appends = async {
            tokio::join!(
                biased;
                log.append(judged(2)),
                log.raise_epoch(config("raised")),
                log.append(judged(2)),
                log.append(judged(3)),
                log.append(config("any"))
            )
        };
        tokio::join!(biased; appends, async { go.notify_one() }).0
    };
    let (_, (before, raised, after, under, any)) = tokio::join!(first, batch);
    let raised = raised.unwrap().index;
    assert_eq!(before.unwrap().index, raised - 1);
    assert_eq!(after, Err(AppendError::Stale { epoch: 3 }));
    assert_eq!((under.unwrap().index, any.unwrap().index), (raised + 1, raised + 2));
    log.shutdown().await;
}

/// Registers share the database, and raise the epoch in transactions of their own.
#[tokio::test]
async fn an_epoch_raised_behind_the_log_is_noticed_in_the_transaction() {
    let site = Site::new("epoch-behind");
    let log = site.open(site.store().await).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(site.database());
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE log_head SET epoch = 5").execute(&mut other).await.unwrap();
    let stale = Draft { epoch: Some(1), ..asked("A") };
    assert_eq!(log.append(stale).await, Err(AppendError::Stale { epoch: 5 }));
    assert_eq!(log.epoch(), 5);
    log.append(Draft { epoch: Some(5), ..asked("A") }).await.unwrap();
    log.shutdown().await;
}

#[tokio::test]
async fn who_goes_away_leaves_no_question_open() {
    let site = Site::new("goes-away");
    let store = Troubled::new(site.store().await);
    let settings = Settings { deadline: Duration::from_secs(1), ..Settings::new(ORIGIN) };
    let log = site.open_with(store.clone(), settings).await.unwrap();
    // Too slow: the deadline passes while the commit runs.
    let (_, go) = store.hold();
    assert_eq!(log.append(asked("late")).await, Err(AppendError::Unavailable));
    go.notify_one();
    // Cancelled while the commit runs.
    log.append(config("between")).await.unwrap();
    let (begun, go) = store.hold();
    tokio::select! {
        _ = log.append(asked("cancelled")) => panic!("held"),
        () = begun.notified() => {}
    }
    go.notify_one();
    log.shutdown().await;
    let entries = log.reader(store.clone()).entries(2..100).await.unwrap();
    let interrupted: Vec<_> = entries.iter().filter(|entry| entry.leaf.kind == Kind::Interrupted).collect();
    let subjects: Vec<_> =
        interrupted.iter().map(|entry| entry.opened.record.text(Column::SubjectAsked).unwrap()).collect();
    assert_eq!(subjects, ["late", "cancelled"]);
    store.inner.close().await;
    assert_eq!(site.verify().await.unwrap().open, 0);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let site = Site::new("queue");
    let store = Troubled::new(site.store().await);
    let settings = Settings { queue: 2, ..Settings::new(ORIGIN) };
    let log = site.open_with(store.clone(), settings).await.unwrap();
    let (begun, go) = store.hold();
    let third = async {
        begun.notified().await;
        let third = log.append(config("third")).await;
        go.notify_one();
        third
    };
    let (first, second, third) =
        tokio::join!(biased; log.append(config("first")), log.append(config("second")), third);
    assert_eq!(third, Err(AppendError::Unavailable));
    assert_eq!((first.unwrap().index, second.unwrap().index), (2, 3));
    assert_eq!(log.append(config("fourth")).await.unwrap().index, 4);
}

#[tokio::test]
async fn questions_left_open_are_interrupted_at_the_next_start() {
    let site = Site::new("left-open");
    let store = site.store().await;
    let log = site.open(store.clone()).await.unwrap();
    exchange(&log, "closed").await;
    let open = log.append(asked("open")).await.unwrap().index;
    log.shutdown().await;

    let log = site.open(store.clone()).await.unwrap();
    let entries = log.reader(store.clone()).entries(open + 1..100).await.unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.leaf.kind).collect();
    assert_eq!(kinds, [Kind::Interrupted, Kind::Config]);
    let record = &entries[0].opened.record;
    assert_eq!(entries[0].closes, Some(open));
    assert_eq!(record.text(Column::SubjectAsked), Some("open"));
    assert_eq!(record.text(Column::Purpose), Some("parking-offender"));
    assert_eq!(record.text(Column::Outcome), Some("INTERRUPTED"));
    assert_eq!(log.head().restarted, open + 2);
    log.shutdown().await;
    store.close().await;
    assert_eq!(site.verify().await.unwrap().open, 0);
}

#[tokio::test]
async fn entries_are_found_whatever_the_clock_said() {
    let site = Site::new("clocks");
    let store = site.store().await;
    let clocks: [fn() -> jiff::Timestamp; 4] = [
        || "2031-05-01T00:00:00Z".parse().unwrap(),
        sluis::clock::now,
        || "2044-02-29T00:00:00Z".parse().unwrap(),
        || "2020-01-01T00:00:00Z".parse().unwrap(),
    ];
    let mut questions = Vec::new();
    for clock in clocks.into_iter().chain([sluis::clock::now as fn() -> _]) {
        let (keys, settings) = (site.keys.clone(), Settings::new(ORIGIN));
        let log = Log::open(store.clone(), keys, site.mark(), settings, clock).await.unwrap();
        let reader = log.reader(store.clone());
        let found = async || {
            let found = reader.find(TokenKind::Subject, b"someone", 0..100, 100).await.unwrap().entries;
            let asked = found.into_iter().filter(|entry| entry.leaf.kind == Kind::Asked);
            asked.map(|entry| entry.index).collect::<Vec<_>>()
        };
        assert_eq!(found().await, questions, "of the months before");
        let question = log.append(asked("someone")).await.unwrap().index;
        log.append(closing(Kind::Released, "someone", question)).await.unwrap();
        questions.push(question);
        assert_eq!(found().await, questions, "and of the month that has just begun");
        log.shutdown().await;
    }
}
