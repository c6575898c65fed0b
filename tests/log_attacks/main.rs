//! What an administrator of the database, without the log's keys, may try. Each attack is told
//! with the first entry that does not fit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "../log_common/mod.rs"]
mod log_common;
mod table;

use std::path::Path;

use log_common::{ORIGIN, Site, attack, build, config};
use sluis::disclosure::log::{OpenError, Settings};
use sluis::disclosure::merkle::Frontier;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use table::{ATTACKS, Attack};

#[tokio::test]
async fn every_attack_is_told() {
    let original = Site::new("attacks");
    build(&original).await;
    assert_eq!(original.verify().await.unwrap().size, 26);
    for Attack { name, sql, refitted, told } in ATTACKS {
        let site = Site::new("attacked");
        std::fs::copy(original.database(), site.database()).unwrap();
        std::fs::copy(original.mark(), site.mark()).unwrap();
        attack(&site.database(), sql).await;
        if *refitted {
            refit(&site.database()).await;
        }
        let notes = [std::fs::read_to_string(site.mark()).unwrap()];
        let told_now = [
            told_by(site.verify_by(Some(&site.keys), &notes).await),
            told_by(site.verify_by(None, &notes).await),
            told_by(site.verify_by(None, &[]).await),
            told_by(site.open(site.store().await).await),
        ];
        for (now, told) in told_now.iter().zip(told) {
            let as_told = if told.is_empty() { now.is_empty() } else { now.starts_with(told) };
            assert!(as_told, "{name}: {told_now:?}");
        }
    }
}

/// Computes the head anew from the leaves, as anybody can: the rules of the tree are public.
async fn refit(database: &Path) {
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    let leaves = sqlx::query_scalar("SELECT leaf_hash FROM log_entry ORDER BY idx");
    let leaves: Vec<Vec<u8>> = leaves.fetch_all(&mut connection).await.unwrap();
    let mut tree = Frontier::default();
    for hash in leaves {
        tree.append(hash.try_into().unwrap());
    }
    sqlx::query("UPDATE log_head SET size = $1, root = $2, frontier = $3")
        .bind(i64::try_from(tree.size()).unwrap())
        .bind(tree.root().to_vec())
        .bind(tree.encode())
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

/// The tail after an old checkpoint is rewritten, and that checkpoint put back: what it covers is verified, and no more
/// is said to be.
#[tokio::test]
async fn an_old_checkpoint_vouches_for_no_more_than_it_covers() {
    let site = Site::new("old-checkpoint");
    let log = site.open(site.store().await).await.unwrap();
    let old = log.checkpoint();
    log.shutdown().await;
    build(&site).await;
    let whole = site.verify_by(None, &[]).await.unwrap();
    assert_eq!((whole.size, whole.signed, whole.unverified), (27, 27, 0));

    attack(
        &site.database(),
        "DELETE FROM log_search; UPDATE log_indexed SET size = 0; \
        DELETE FROM log_entry WHERE idx > 20; DELETE FROM log_payload WHERE idx > 20",
    )
    .await;
    refit(&site.database()).await;
    let mut connection = SqliteConnectOptions::new().filename(site.database()).connect().await.unwrap();
    let replay = sqlx::query("UPDATE log_head SET checkpoint = $1, restarted = 0").bind(&old);
    replay.execute(&mut connection).await.unwrap();
    let told = site.verify_by(None, &[]).await.unwrap();
    assert_eq!((told.size, told.signed, told.unverified), (21, 2, 19), "not a word of the tail is vouched for");
    // Whoever has the keys, or kept the mark, is not taken in.
    assert!(told_by(site.verify_by(Some(&site.keys), &[]).await).starts_with("the head was not made"));
    let mark = std::fs::read_to_string(site.mark()).unwrap();
    assert!(told_by(site.verify_by(None, &[mark]).await).starts_with("entry 21: it is missing"));
}

fn told_by<T, E: std::fmt::Display>(outcome: Result<T, E>) -> String {
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_a_rollback() {
    let site = Site::new("rollback");
    build(&site).await;
    let backup = site.folder.join("backup");
    std::fs::copy(site.database(), &backup).unwrap();
    let log = site.open(site.store().await).await.unwrap();
    log.append(config("after the backup")).await.unwrap();
    log.shutdown().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(site.folder.join(format!("log.db{suffix}")));
    }
    std::fs::copy(&backup, site.database()).unwrap();

    // The copy is a log in itself: only what was kept outside tells.
    assert_eq!(site.verify_by(Some(&site.keys), &[]).await.unwrap().size, 26);
    let told = told_by(site.verify().await);
    assert!(told.starts_with("entry 26: it is missing; the log ends here, and 28"), "{told}");
    let opened = site.open(site.store().await).await;
    assert!(matches!(opened, Err(OpenError::RolledBack { size: 26, marked: 28, .. })), "{opened:?}");
}

#[tokio::test]
async fn another_history_of_the_same_length_is_a_fork() {
    let site = Site::new("fork");
    build(&site).await;
    let other = Site::new("fork-other");
    build(&other).await;
    std::fs::copy(other.mark(), site.mark()).unwrap();
    let told = told_by(site.verify().await);
    assert!(told.starts_with("the first 26 entries are not those of the signed checkpoint"), "{told}");
    let opened = site.open(site.store().await).await;
    assert!(matches!(opened, Err(OpenError::Forked { marked: 26, .. })), "{opened:?}");
}

#[tokio::test]
async fn a_lost_mark_is_accepted_only_when_told_to() {
    let site = Site::new("lost-mark");
    build(&site).await;
    std::fs::remove_file(site.mark()).unwrap();
    let opened = site.open(site.store().await).await;
    assert!(matches!(opened, Err(OpenError::MarkMissing { size: 26, .. })), "{opened:?}");
    let accepting = Settings { accept_missing_mark: true, ..Settings::new(ORIGIN) };
    let log = site.open_with(site.store().await, accepting).await.unwrap();
    assert_eq!(log.head().size, 28, "INCIDENT and CONFIG");
    log.shutdown().await;
    assert_eq!(site.verify().await.unwrap().size, 28);
}

#[tokio::test]
async fn other_keys_and_another_name_open_nothing() {
    let site = Site::new("other-keys");
    build(&site).await;
    let named = Settings::new("other.example");
    let note = std::fs::read_to_string(site.mark()).unwrap();
    let opened = site.open_with(site.store().await, named.clone()).await;
    assert!(matches!(opened, Err(OpenError::MarkForeign { .. })), "{opened:?}");
    std::fs::remove_file(site.mark()).unwrap();
    let named = Settings { accept_missing_mark: true, ..named };
    let opened = site.open_with(site.store().await, named).await;
    assert!(matches!(&opened, Err(OpenError::Origin { found }) if found == ORIGIN), "{opened:?}");
    std::fs::write(site.mark(), note).unwrap();

    let keys = sluis::disclosure::keys::LogKeys::from_secret(&[7; 64]).into();
    let thief = Site { folder: site.folder.clone(), keys };
    let opened = thief.open(thief.store().await).await;
    assert!(matches!(opened, Err(OpenError::Head)), "{opened:?}");
}

#[tokio::test]
async fn accidents_are_stopped_by_the_database() {
    let site = Site::new("accidents");
    build(&site).await;
    let mut connection = SqliteConnectOptions::new().filename(site.database()).connect().await.unwrap();
    for sql in [
        "UPDATE log_entry SET closes = NULL",
        "DELETE FROM log_entry",
        "UPDATE log_payload SET tokens = x''",
        "DELETE FROM log_payload",
        "DELETE FROM log_head",
    ] {
        assert!(sqlx::raw_sql(sql).execute(&mut connection).await.is_err(), "{sql}");
    }
}
