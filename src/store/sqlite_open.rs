//! Opening an SQLite file so that a commit is durable, or not at all.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::sqlite_sql as sql;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// The first version whose write-ahead log cannot lose commits to a second connection.
const OLDEST: [u32; 3] = [3, 51, 3];

/// Which file, and how large it may grow.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The database file; made when it is not there.
    pub file: PathBuf,
    /// Largest size in pages of 4096 bytes: a full log refuses before the disk does.
    pub max_pages: Option<u32>,
}

impl SqliteSettings {
    /// A file that may grow as long as the disk lets it.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), max_pages: None }
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.file)
            .busy_timeout(Duration::from_secs(1))
            .thread_name(|id| format!("log-sqlite-{id}"))
            .disable_statement_logging()
    }

    /// Makes sure that nobody else writes, for as long as what it returns lives. A second gateway would be fenced off
    /// by the head, but only after it had taken the log away from the first.
    ///
    /// The file must be there: the lock lies beside the file itself, under whatever name it was opened.
    pub(super) fn alone(&self) -> Result<File, OpenSqliteError> {
        let mut beside = self.file.canonicalize().map_err(OpenSqliteError::File)?.into_os_string();
        beside.push(".lock");
        // A file of its own: closing the database would drop SQLite's locks.
        let lock = own(OpenOptions::new().write(true).create(true).truncate(false)).open(beside);
        let lock = lock.map_err(OpenSqliteError::File)?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => Err(OpenSqliteError::Taken),
            Err(TryLockError::Error(error)) => Err(OpenSqliteError::File(error)),
        }
    }

    /// Makes the file, for its owner alone: SQLite gives the write-ahead log the same mode.
    pub(super) fn create(&self) -> Result<(), OpenSqliteError> {
        match own(OpenOptions::new().write(true).create_new(true)).open(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(OpenSqliteError::File(error)),
            _ => Ok(()),
        }
    }

    /// The one connection that writes.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut options = self
            .options()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Copying 16 MB back into the file every so often costs less than 4 MB more often.
            .pragma("wal_autocheckpoint", "4000");
        if let Some(pages) = self.max_pages {
            options = options.pragma("max_page_count", pages.to_string());
        }
        options.connect().await
    }

    /// Connections that only read: they never move the write-ahead log back into the file.
    pub(super) fn readers(&self) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(self.options().read_only(true))
    }
}

fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Brings the schema up to date, and makes sure of what durability rests on.
pub(super) async fn prepare(writer: &mut SqliteConnection) -> Result<(), OpenSqliteError> {
    check_version(writer).await?;
    let (journal, synchronous): (String, i64) = sqlx::query_as(sql::DURABILITY).fetch_one(&mut *writer).await?;
    if journal != "wal" || synchronous != 2 {
        return Err(OpenSqliteError::NotDurable);
    }
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => OpenSqliteError::Newer(version),
        other => OpenSqliteError::Migration(other),
    })
}

/// Makes sure that a file which is only read has the schema that this program knows.
pub(super) async fn check_schema(reader: &mut SqliteConnection) -> Result<(), OpenSqliteError> {
    check_version(reader).await?;
    let version: i64 = sqlx::query_scalar(sql::SCHEMA).fetch_one(reader).await?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max();
    if Some(version) == known { Ok(()) } else { Err(OpenSqliteError::Newer(version)) }
}

async fn check_version(connection: &mut SqliteConnection) -> Result<(), OpenSqliteError> {
    connection.ping().await?;
    let version: String = sqlx::query_scalar(sql::VERSION).fetch_one(connection).await?;
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers.as_slice() < OLDEST.as_slice() { Err(OpenSqliteError::TooOld(version)) } else { Ok(()) }
}

/// Why a file is not opened.
#[derive(Debug)]
pub enum OpenSqliteError {
    /// The file, or its lock, cannot be made.
    File(io::Error),
    /// Another process writes it.
    Taken,
    /// SQLite refuses.
    Database(sqlx::Error),
    /// The schema cannot be brought up to date.
    Migration(sqlx::migrate::MigrateError),
    /// The schema is of a version that this program does not know.
    Newer(i64),
    /// This SQLite can lose commits.
    TooOld(String),
    /// The file system or the build does not give WAL with synchronous=FULL.
    NotDurable,
}

impl fmt::Display for OpenSqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(_) => f.write_str("the log's SQLite file or its lock cannot be made"),
            Self::Taken => {
                f.write_str("another gateway writes this log: stop it first, or give this one its own")
            }
            Self::Database(_) => f.write_str("the log's SQLite file cannot be opened"),
            Self::Migration(_) => f.write_str("the log's schema cannot be brought up to date"),
            Self::Newer(version) => {
                write!(f, "the log's schema is version {version}, which this program does not know")
            }
            Self::TooOld(version) => write!(f, "SQLite {version} can lose commits: 3.51.3 or newer is needed"),
            Self::NotDurable => f.write_str("SQLite does not give WAL with synchronous=FULL here"),
        }
    }
}

impl std::error::Error for OpenSqliteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(source) => Some(source),
            Self::Database(source) => Some(source),
            Self::Migration(source) => Some(source),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for OpenSqliteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
