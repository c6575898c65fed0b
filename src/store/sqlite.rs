//! The log in one SQLite file: one connection writes, a few others read.

use std::fs::File;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, PoisonError};

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Connection, Row as _, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use crate::disclosure::keys::{Token, TokenKind};
use crate::disclosure::seal::Tokens;
use crate::disclosure::store::{Appended, Batch, Head, Store, StoreError, StoredLeaf, StoredPayload};

pub use super::sqlite_open::{OpenSqliteError, SqliteSettings};
use super::sqlite_open::{check_schema, prepare};
use super::sqlite_sql as sql;

/// A log in an SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteStore(Arc<Connections>);

#[derive(Debug)]
struct Connections {
    settings: SqliteSettings,
    /// Nothing: the last one failed and was given up, or the file is only read.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
    /// Keeps other writers out; nothing where the file is only read.
    alone: std::sync::Mutex<Option<File>>,
}

impl SqliteStore {
    /// Opens the file for the gateway that writes it. There is one only: another is refused until this one is closed.
    pub async fn open(settings: SqliteSettings) -> Result<Self, OpenSqliteError> {
        settings.create()?;
        let alone = std::sync::Mutex::new(Some(settings.alone()?));
        let mut writer = settings.writer().await?;
        prepare(&mut writer).await?;
        let readers = settings.readers();
        Ok(Self(Arc::new(Connections { settings, writer: Mutex::new(Some(writer)), readers, alone })))
    }

    /// Opens a file to read it, beside a gateway that may be writing it.
    pub async fn open_to_read(settings: SqliteSettings) -> Result<Self, OpenSqliteError> {
        let readers = settings.readers();
        let mut reader = readers.acquire().await?;
        check_schema(&mut reader).await?;
        drop(reader);
        let (writer, alone) = (Mutex::new(None), std::sync::Mutex::new(None));
        Ok(Self(Arc::new(Connections { settings, writer, readers, alone })))
    }

    /// Closes every connection; the write-ahead log goes back into the file.
    pub async fn close(&self) {
        self.0.readers.close().await;
        if let Some(writer) = self.0.writer.lock().await.take() {
            // All that matters is durable already.
            let _ = writer.close().await;
        }
        self.0.alone.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The writer, or a new one after the last has failed.
    async fn take_writer(&self, slot: &mut Option<SqliteConnection>) -> Result<SqliteConnection, StoreError> {
        match slot.take() {
            Some(writer) => Ok(writer),
            None => self.0.settings.writer().await.map_err(fault),
        }
    }
}

/// Puts the writer back. One that failed is closed instead, which ends its transaction.
async fn settle<T>(
    slot: &mut Option<SqliteConnection>,
    writer: SqliteConnection,
    outcome: Result<T, sqlx::Error>,
) -> Result<T, StoreError> {
    match outcome {
        Ok(done) => {
            *slot = Some(writer);
            Ok(done)
        }
        Err(error) => {
            let _ = writer.close().await;
            Err(fault(error))
        }
    }
}

impl Store for SqliteStore {
    async fn head(&self) -> Result<Head, StoreError> {
        let row = sqlx::query(sql::HEAD).fetch_one(&self.0.readers).await.map_err(fault)?;
        head(&row)
    }

    async fn append(&self, batch: Batch<'_>) -> Result<Appended, StoreError> {
        let mut slot = self.0.writer.lock().await;
        let mut writer = self.take_writer(&mut slot).await?;
        let outcome = append(&mut writer, batch).await;
        settle(&mut slot, writer, outcome).await
    }

    async fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredLeaf>, StoreError> {
        let query = sqlx::query(sql::LEAVES).bind(signed(range.start)).bind(signed(range.end));
        query.fetch_all(&self.0.readers).await.map_err(fault)?.iter().map(leaf).collect()
    }

    async fn payloads(&self, range: Range<u64>) -> Result<Vec<StoredPayload>, StoreError> {
        let query = sqlx::query(sql::PAYLOADS).bind(signed(range.start)).bind(signed(range.end));
        query.fetch_all(&self.0.readers).await.map_err(fault)?.iter().map(payload).collect()
    }

    async fn beyond(&self, size: u64) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query_scalar(sql::BEYOND).bind(signed(size));
        let first: Option<i64> = query.fetch_one(&self.0.readers).await.map_err(fault)?;
        Ok(first.map(unsigned))
    }

    async fn find(
        &self,
        kind: TokenKind,
        tokens: &[Token],
        range: Range<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        find(&self.0.readers, kind, tokens, range, limit).await.map_err(fault)
    }

    async fn index(&self, limit: u64) -> Result<u64, StoreError> {
        let mut slot = self.0.writer.lock().await;
        let mut writer = self.take_writer(&mut slot).await?;
        let outcome = index(&mut writer, limit).await;
        settle(&mut slot, writer, outcome).await
    }

    async fn unsearchable(&self, range: Range<u64>) -> Result<Option<u64>, StoreError> {
        let query = sqlx::query_scalar(sql::UNSEARCHABLE).bind(signed(range.start)).bind(signed(range.end));
        let first: Option<i64> = query.fetch_one(&self.0.readers).await.map_err(fault)?;
        Ok(first.map(unsigned))
    }

    async fn misfiled(&self, kind: TokenKind, first: RangeInclusive<u8>) -> Result<Option<u64>, StoreError> {
        // Longer than any token, so greater than all that begin with 255.
        let end = first.end().checked_add(1).map_or(vec![u8::MAX; 17], |byte| vec![byte]);
        let query = sqlx::query_scalar(sql::MISFILED).bind(kind as i64).bind(vec![*first.start()]).bind(end);
        let first: Option<i64> = query.fetch_one(&self.0.readers).await.map_err(fault)?;
        Ok(first.map(unsigned))
    }
}

async fn append(writer: &mut SqliteConnection, batch: Batch<'_>) -> Result<Appended, sqlx::Error> {
    let too_large = || sqlx::Error::Protocol("a batch of more rows than one append takes".to_owned());
    let (text, size) = sql::APPENDS.of(batch.rows.len()).ok_or_else(too_large)?;
    let arguments = bind(batch, size).map_err(sqlx::Error::Encode)?;
    // The commit point, an fsync of the write-ahead log, is the last statement. After an error the transaction may
    // still be open: `settle` closes the connection.
    let moved = sqlx::query_with(text, arguments).fetch_all(writer).await?;
    Ok(if moved.is_empty() { Appended::Moved } else { Appended::Committed })
}

/// The values of an append of `size` rows, in the order of its text.
fn bind(batch: Batch<'_>, size: usize) -> Result<SqliteArguments, sqlx::error::BoxDynError> {
    let Batch { expect, next, rows } = batch;
    let mut arguments = SqliteArguments::default();
    arguments.reserve(10 + size * 8, 0);
    arguments.add(signed(next.size))?;
    arguments.add(&next.root[..])?;
    arguments.add(&next.frontier[..])?;
    arguments.add(&next.mac[..])?;
    arguments.add(signed(next.restarted))?;
    arguments.add(signed(next.epoch))?;
    arguments.add(next.checkpoint.as_str())?;
    arguments.add(signed(expect.size))?;
    arguments.add(&expect.root[..])?;
    arguments.add(signed(expect.epoch))?;
    let unused = |arguments: &mut SqliteArguments, columns| {
        (0..(size - rows.len()) * columns).try_for_each(|_| arguments.add(None::<i64>))
    };
    for (index, row) in (signed(expect.size)..).zip(rows) {
        arguments.add(index)?;
        arguments.add(&row.entry.leaf[..])?;
        arguments.add(&row.entry.leaf_hash[..])?;
        arguments.add(&row.place[..])?;
        arguments.add(row.entry.closes.map(signed))?;
    }
    unused(&mut arguments, 5)?;
    for (index, row) in (signed(expect.size)..).zip(rows) {
        arguments.add(index)?;
        arguments.add(&row.entry.payload[..])?;
        arguments.add(&row.entry.tokens.0[..])?;
    }
    unused(&mut arguments, 3)?;
    Ok(arguments)
}

/// On the writer throughout: whoever appends does not wait for readers.
async fn index(writer: &mut SqliteConnection, limit: u64) -> Result<u64, sqlx::Error> {
    let (size, indexed): (i64, i64) = sqlx::query_as(sql::UNINDEXED).fetch_one(&mut *writer).await?;
    let to = size.min(indexed.saturating_add(signed(limit)));
    if indexed < to {
        let mut tx = writer.begin_with(sql::BEGIN).await?;
        sqlx::query(sql::INDEX).bind(indexed).bind(to).execute(&mut *tx).await?;
        sqlx::query(sql::MOVE_INDEXED).bind(to).bind(indexed).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(unsigned(size.saturating_sub(to)))
}

/// The index first, then what it does not reach yet. Reading how far it reaches before looking
/// keeps the answer complete while it grows.
async fn find(
    readers: &SqlitePool,
    kind: TokenKind,
    tokens: &[Token],
    range: Range<u64>,
    limit: usize,
) -> Result<Vec<u64>, sqlx::Error> {
    let (kind, from, to) = (kind as i64, signed(range.start), signed(range.end));
    let mut reader = readers.acquire().await?;
    let indexed: i64 = sqlx::query_scalar(sql::INDEXED).fetch_one(&mut *reader).await?;
    let mut found: Vec<u64> = Vec::new();
    for token in tokens {
        let query = sqlx::query_scalar(sql::FIND_INDEXED).bind(kind).bind(&token[..]).bind(from).bind(to);
        let rows: Vec<i64> =
            query.bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(&mut *reader).await?;
        found.extend(rows.into_iter().map(unsigned));
    }
    let tail = sqlx::query_as(sql::FIND_TAIL).bind(kind).bind(from.max(indexed)).bind(to);
    let tail: Vec<(i64, Vec<u8>)> = tail.fetch_all(&mut *reader).await?;
    let borne = tail.iter().filter(|(_, token)| tokens.iter().any(|sought| sought[..] == token[..]));
    found.extend(borne.map(|(index, _)| unsigned(*index)));
    found.sort_unstable();
    found.dedup();
    found.truncate(limit);
    Ok(found)
}

fn head(row: &SqliteRow) -> Result<Head, StoreError> {
    let number = |column: usize| natural(row.try_get(column).map_err(fault)?).ok_or(StoreError::Head);
    Ok(Head {
        size: number(0)?,
        root: array(row, 1).unwrap_or_default(),
        frontier: row.try_get(2).map_err(fault)?,
        mac: array(row, 3).unwrap_or_default(),
        restarted: number(4)?,
        epoch: number(5)?,
        checkpoint: row.try_get(6).map_err(fault)?,
    })
}

fn leaf(row: &SqliteRow) -> Result<StoredLeaf, StoreError> {
    let index = unsigned(row.try_get(0).map_err(fault)?);
    let read = || {
        let closes: Option<i64> = row.try_get(4).ok()?;
        Some(StoredLeaf {
            index,
            leaf: array(row, 1)?,
            leaf_hash: array(row, 2)?,
            place: array(row, 3)?,
            closes: match closes {
                Some(asked) => Some(natural(asked)?),
                None => None,
            },
        })
    };
    read().ok_or(StoreError::Row { index })
}

fn payload(row: &SqliteRow) -> Result<StoredPayload, StoreError> {
    let index = unsigned(row.try_get(0).map_err(fault)?);
    let read = || Some(StoredPayload { index, sealed: row.try_get(1).ok()?, tokens: Tokens(array(row, 2)?) });
    read().ok_or(StoreError::Row { index })
}

fn array<const N: usize>(row: &SqliteRow, column: usize) -> Option<[u8; N]> {
    row.try_get::<&[u8], _>(column).ok()?.try_into().ok()
}

/// SQLite has signed integers only; no log reaches the difference.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Of numbers that were asked for from 0 on.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Of numbers that anybody may have put there: the log writes none below 0.
fn natural(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// An error of the hardware, a corrupt file, or a row that is there already (so was planted)
/// breaks the log; anything else may pass.
fn fault(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let primary = code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    match primary {
        // SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_CONSTRAINT, SQLITE_NOTADB
        Some(10 | 11 | 19 | 26) => StoreError::Broken(error.into()),
        _ => StoreError::Unavailable(error.into()),
    }
}
