//! What whoever reads the log hears when its database was altered beneath the gateway: never a shorter answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod log_common;

use log_common::{Site, attack, build};
use sluis::disclosure::keys::TokenKind;
use sluis::disclosure::read::ReadError;

struct Alteration {
    name: &'static str,
    sql: &'static str,
    /// What the whole list, and the search for `subject 3`, say; empty: they are whole.
    told: [&'static str; 2],
}

/// Upon the log that `build` makes: entries 8 and 9 are about `subject 3`.
const ALTERATIONS: &[Alteration] = &[
    Alteration { name: "nothing", sql: "", told: ["", ""] },
    Alteration {
        name: "an entry deleted",
        sql: "DELETE FROM log_entry WHERE idx = 8; DELETE FROM log_payload WHERE idx = 8",
        told: ["entry 8: it is missing", "entry 8: it is missing"],
    },
    Alteration {
        name: "the first entry deleted",
        sql: "DELETE FROM log_entry WHERE idx = 0; DELETE FROM log_payload WHERE idx = 0",
        told: ["entry 0: it is missing", ""],
    },
    Alteration {
        name: "the tail deleted",
        sql: "DELETE FROM log_entry WHERE idx >= 20; DELETE FROM log_payload WHERE idx >= 20",
        told: ["entry 20: it is missing", ""],
    },
    Alteration {
        name: "a payload deleted",
        sql: "DELETE FROM log_payload WHERE idx = 9",
        told: ["entry 9: its payload is missing", "entry 9: its payload is missing"],
    },
    Alteration {
        name: "an entry found by what it does not say",
        sql: "INSERT INTO log_search SELECT kind, token, 10 FROM log_search WHERE kind = 0 AND idx = 8",
        told: ["", "entry 10: the search index has it under what it does not say"],
    },
    Alteration {
        name: "an entry found that the log has not",
        sql: "INSERT INTO log_search SELECT kind, token, 900 FROM log_search WHERE kind = 0 AND idx = 8",
        told: ["", ""],
    },
];

#[tokio::test]
async fn an_auditor_is_told_of_an_altered_log_and_given_no_shorter_answer() {
    let original = Site::new("unaltered");
    build(&original).await;
    for (at, Alteration { name, sql, told }) in ALTERATIONS.iter().enumerate() {
        let site = Site::new(&format!("altered-{at}"));
        std::fs::copy(original.database(), site.database()).unwrap();
        std::fs::copy(original.mark(), site.mark()).unwrap();
        let store = site.store().await;
        let log = site.open(store.clone()).await.unwrap();
        let reader = log.reader(store.clone());
        attack(&site.database(), sql).await;
        let list = reader.entries(0..1000).await.map(|entries| entries.len());
        let search = reader.find(TokenKind::Subject, b"subject 3", 0..1000, 100).await;
        let search = search.map(|found| found.entries.len());
        for (answer, whole, told) in [(list, 27, told[0]), (search, 2, told[1])] {
            match answer {
                Ok(entries) => assert_eq!((entries, ""), (whole, told), "{name}"),
                Err(ReadError::Fault(fault)) => assert_eq!(fault.to_string(), told, "{name}"),
                Err(other) => panic!("{name}: {other}"),
            }
        }
        log.shutdown().await;
        store.close().await;
    }
}
