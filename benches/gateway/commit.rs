//! What one commit costs here: a row into an SQLite file on the gateway's file system, durably.

use std::path::Path;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::Fallible;
use crate::rounds::median;

/// About what an entry of the log takes.
const ROW: usize = 1024;

/// A scratch file for commits.
pub struct Scratch(SqliteConnection);

impl Scratch {
    /// An empty table, as the log has it: write-ahead log, `synchronous=FULL`.
    pub async fn open(dir: &Path) -> Fallible<Self> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("scratch.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        sqlx::query("CREATE TABLE scratch (row BLOB NOT NULL)").execute(&mut connection).await?;
        Ok(Self(connection))
    }

    /// The median of so many one-row commits, in milliseconds.
    pub async fn median(&mut self, commits: usize) -> Fallible<f64> {
        let row = vec![7_u8; ROW];
        let mut took = Vec::with_capacity(commits);
        for _ in 0..commits {
            let started = Instant::now();
            sqlx::query("INSERT INTO scratch VALUES ($1)").bind(&row[..]).execute(&mut self.0).await?;
            took.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(took))
    }
}
