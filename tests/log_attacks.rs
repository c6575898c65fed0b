//! What an administrator of the database, without the log's keys, may try. Each attack is told
//! with the first entry that does not fit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod log_common;

use log_common::{ORIGIN, Site, attack, build, config};
use sluis::disclosure::log::{OpenError, Settings};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

struct Attack {
    name: &'static str,
    sql: &'static str,
    /// What verification with the keys, with the public key, and opening say; empty: they pass.
    told: [&'static str; 3],
}

/// Upon the log that `build` makes.
const ATTACKS: &[Attack] = &[
    Attack {
        name: "another payload",
        sql: "UPDATE log_payload SET sealed = zeroblob(length(sealed)) WHERE idx = 9",
        told: ["entry 9: the payload does not open", "", ""],
    },
    Attack {
        name: "a shorter payload",
        sql: "UPDATE log_payload SET sealed = x'00' WHERE idx = 9",
        told: ["entry 9: the payload does not open", "", ""],
    },
    Attack {
        name: "payloads swapped",
        sql: "UPDATE log_payload SET sealed = (SELECT sealed FROM log_payload WHERE idx = 6) WHERE idx = 4",
        told: ["entry 4: the payload does not open", "", ""],
    },
    Attack {
        name: "no payload",
        sql: "DELETE FROM log_payload WHERE idx = 9",
        told: ["entry 9: its payload is missing", "", ""],
    },
    Attack {
        name: "another leaf",
        sql: "UPDATE log_entry SET leaf = CAST(substr(leaf, 1, 55) || x'00' AS BLOB) WHERE idx = 8",
        told: ["entry 8: its leaf is not", "entry 8: its leaf is not", "entry 8: its leaf is not"],
    },
    Attack {
        name: "half a leaf",
        sql: "UPDATE log_entry SET leaf = x'00' WHERE idx = 8",
        told: [
            "entry 8: its row is malformed",
            "entry 8: its row is malformed",
            "entry 8: its row is malformed",
        ],
    },
    Attack {
        name: "another hash",
        sql: "UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE idx = 8",
        told: ["entry 8: its leaf is not", "entry 8: its leaf is not", "entry 8: its leaf is not"],
    },
    Attack {
        name: "another leaf with its hash",
        sql: "UPDATE log_entry SET (leaf, leaf_hash) = \
              (SELECT leaf, leaf_hash FROM log_entry WHERE idx = 6) WHERE idx = 8",
        told: [
            "entry 8: it is not what the log appended",
            "the first 26 entries are not those",
            "rollback: the log's first 26 entries are not those",
        ],
    },
    Attack {
        name: "a middle row deleted",
        sql: "DELETE FROM log_entry WHERE idx = 10; DELETE FROM log_payload WHERE idx = 10",
        told: ["entry 10: it is missing", "entry 10: it is missing", "entry 10: it is missing"],
    },
    Attack {
        name: "the tail deleted",
        sql: "DELETE FROM log_entry WHERE idx >= 20; DELETE FROM log_payload WHERE idx >= 20",
        told: ["entry 20: it is missing", "entry 20: it is missing", "entry 20: it is missing"],
    },
    Attack {
        name: "two rows swapped",
        sql: "UPDATE log_entry SET idx = -1 WHERE idx = 4; UPDATE log_entry SET idx = 4 WHERE idx = 6; \
              UPDATE log_entry SET idx = 6 WHERE idx = -1; \
              UPDATE log_payload SET idx = -1 WHERE idx = 4; UPDATE log_payload SET idx = 4 WHERE idx = 6; \
              UPDATE log_payload SET idx = 6 WHERE idx = -1",
        told: [
            "entry 4: it is not what the log appended",
            "the first 26 entries are not those",
            "rollback: the log's first 26 entries are not those",
        ],
    },
    Attack {
        name: "a row beyond the head",
        sql: "INSERT INTO log_entry SELECT 26, leaf, leaf_hash, place, closes FROM log_entry WHERE idx = 4",
        told: ["entry 26: it lies beyond", "entry 26: it lies beyond", "entry 26: it lies beyond"],
    },
    Attack {
        name: "a row far beyond the head",
        sql: "INSERT INTO log_entry SELECT 900, leaf, leaf_hash, place, closes FROM log_entry WHERE idx = 4",
        told: ["entry 900: it lies beyond", "entry 900: it lies beyond", "entry 900: it lies beyond"],
    },
    Attack {
        name: "a payload beyond the head",
        sql: "INSERT INTO log_payload SELECT 27, sealed, tokens FROM log_payload WHERE idx = 4",
        told: ["entry 27: it lies beyond", "entry 27: it lies beyond", "entry 27: it lies beyond"],
    },
    Attack {
        name: "a row within a larger head",
        sql: "INSERT INTO log_entry SELECT 26, leaf, leaf_hash, place, closes FROM log_entry WHERE idx = 4; \
              INSERT INTO log_payload SELECT 26, sealed, tokens FROM log_payload WHERE idx = 4; \
              UPDATE log_head SET size = 27",
        told: [
            "entry 26: it is not what the log appended",
            "the tree over the 27 entries",
            "the log's head was not",
        ],
    },
    Attack {
        name: "tokens of somebody else",
        sql: "UPDATE log_payload SET tokens = (SELECT tokens FROM log_payload WHERE idx = 6) WHERE idx = 8",
        told: ["entry 8: its search tokens", "entry 8: the search index lacks it", ""],
    },
    Attack {
        name: "no tokens",
        sql: "UPDATE log_payload SET tokens = zeroblob(80) WHERE idx = 8",
        told: ["entry 8: its search tokens", "", ""],
    },
    Attack {
        name: "a row of the search index deleted",
        sql: "DELETE FROM log_search WHERE kind = 0 AND idx = 12",
        told: ["entry 12: the search index lacks it", "entry 12: the search index lacks it", ""],
    },
    Attack {
        name: "another question closed",
        sql: "UPDATE log_entry SET closes = 23 WHERE idx = 24",
        told: [
            "entry 24: it is not what the log appended",
            "entry 25: it closes what is not an open question",
            "entry 25: it closes what is not an open question",
        ],
    },
    Attack {
        name: "a question closed twice",
        sql: "UPDATE log_entry SET closes = 4 WHERE idx = 7",
        told: ["entry 7: it closes what", "entry 7: it closes what", "entry 7: it closes what"],
    },
    Attack {
        name: "a question closed that cannot be",
        sql: "UPDATE log_entry SET closes = -1 WHERE idx = 7",
        told: [
            "entry 7: its row is malformed",
            "entry 7: its row is malformed",
            "entry 7: its row is malformed",
        ],
    },
    Attack {
        name: "a size that cannot be",
        sql: "UPDATE log_head SET size = -1",
        told: ["the head was not made", "the head was not made", "the log's head was not made"],
    },
    Attack {
        name: "an epoch that cannot be",
        sql: "UPDATE log_head SET epoch = -1",
        told: ["the head was not made", "the head was not made", "the log's head was not made"],
    },
    Attack {
        name: "a release of nothing asked",
        sql: "UPDATE log_entry SET closes = NULL WHERE idx = 7",
        told: ["entry 7: its kind and", "entry 7: its kind and", "entry 7: its kind and"],
    },
    Attack {
        name: "a planted head",
        sql: "UPDATE log_head SET mac = zeroblob(32)",
        told: ["the head was not made", "", "the log's head was not made"],
    },
    Attack {
        name: "another root",
        sql: "UPDATE log_head SET root = zeroblob(32)",
        told: ["the tree over the 26 entries", "the tree over the 26 entries", "the log's head was not made"],
    },
    Attack {
        name: "another right edge",
        sql: "UPDATE log_head SET frontier = zeroblob(96)",
        told: [
            "the tree over the 26 entries",
            "the tree over the 26 entries",
            "the tree over the log's 26 entries",
        ],
    },
    Attack {
        name: "another restart",
        sql: "UPDATE log_head SET restarted = 20",
        told: ["the head was not made", "", "the log's head was not made"],
    },
    Attack {
        name: "a forged checkpoint",
        sql: "UPDATE log_head SET checkpoint = replace(checkpoint, '26', '25')",
        told: ["a checkpoint does not open", "a checkpoint does not open", ""],
    },
    Attack {
        name: "everything deleted",
        sql: "DELETE FROM log_entry; DELETE FROM log_payload; \
              UPDATE log_head SET size = 0, frontier = x'', checkpoint = '', \
              root = x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        told: ["entry 0: it is missing", "entry 0: it is missing", "rollback: the log has 0 entries"],
    },
];

#[tokio::test]
async fn every_attack_is_told() {
    let original = Site::new("attacks");
    build(&original).await;
    assert_eq!(original.verify().await.unwrap().size, 26);
    for Attack { name, sql, told } in ATTACKS {
        let site = Site::new("attacked");
        std::fs::copy(original.database(), site.database()).unwrap();
        std::fs::copy(original.mark(), site.mark()).unwrap();
        attack(&site.database(), sql).await;
        let notes = [std::fs::read_to_string(site.mark()).unwrap()];
        let told_now = [
            told_by(site.verify_by(Some(&site.keys), &notes).await),
            told_by(site.verify_by(None, &notes).await),
            told_by(site.open(site.store().await).await),
        ];
        for (now, told) in told_now.iter().zip(told) {
            let as_told = if told.is_empty() { now.is_empty() } else { now.starts_with(told) };
            assert!(as_told, "{name}: {told_now:?}");
        }
    }
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
