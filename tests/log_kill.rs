//! kill -9 while entries are being appended: what was acknowledged is there.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test may fail loudly, and its child speaks to it"
)]

mod log_common;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use log_common::{Site, asked, closing};
use sluis::disclosure::entry::Kind;
use tokio::task::JoinSet;

const FOLDER: &str = "SLUIS_TEST_LOG_FOLDER";
const ROUNDS: usize = 5;

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let site = Site::new("kill");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(append_and_kill(&site, 200 + 70 * round));
    }
    let store = site.store().await;
    let log = site.open(store.clone()).await.unwrap();
    log.shutdown().await;
    let reader = log.reader(store.clone());
    let entries_now = reader.size().await.unwrap();
    let entries = reader.entries(0..entries_now).await.unwrap();
    for (index, entry_id) in &acknowledged {
        let index: usize = index.parse().unwrap();
        assert_eq!(entries[index].leaf.entry_id.to_string(), *entry_id, "entry {index}");
    }
    let count = |kind| entries.iter().filter(|entry| entry.leaf.kind == kind).count();
    assert_eq!(count(Kind::Asked), count(Kind::Released) + count(Kind::Interrupted));
    assert!(count(Kind::Interrupted) > 0, "the child always leaves questions open");
    assert_eq!(count(Kind::Config), ROUNDS + 1);
    store.close().await;
    let report = site.verify().await.unwrap();
    assert_eq!((report.size, report.open), (entries_now, 0));
}

/// Runs the child until it has spoken so often; returns all that it said (index, entry id).
fn append_and_kill(site: &Site, lines: usize) -> Vec<(String, String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_appends", "--nocapture"])
        .env(FOLDER, &site.folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    while let Some(Ok(line)) = said.next() {
        if let Some((index, id)) = line.strip_prefix("acknowledged ").and_then(|line| line.split_once(' ')) {
            acknowledged.push((index.to_owned(), id.to_owned()));
        }
        if acknowledged.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= lines, "the child ended by itself");
    acknowledged
}

/// Does nothing unless it is the child: then it appends until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_appends() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let site = Site::at(PathBuf::from(folder));
    let log = Arc::new(site.open(site.store().await).await.unwrap());
    // One question that stays open.
    log.append(asked("open")).await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let log = log.clone();
        tasks.spawn(async move {
            loop {
                let subject = task.to_string();
                let question = log.append(asked(&subject)).await.unwrap();
                println!("acknowledged {} {}", question.index, question.entry_id);
                let answer = log.append(closing(Kind::Released, &subject, question.index)).await.unwrap();
                println!("acknowledged {} {}", answer.index, answer.entry_id);
            }
        });
    }
    tasks.join_all().await;
}
