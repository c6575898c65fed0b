//! The store of a gateway that answers before the append.
//!
//! It says `Committed` to every batch and writes it only when enough younger rows have come. The log has no way to
//! see that from within: it reads the head back only when an append fails, and a batch that comes late still fits
//! the head that it expects. So no simpler lie is needed, and no switch in the product. (The next start may find a
//! high-water mark ahead of the database, and then refuses to open; this test does not wait for that.)

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use sluis::disclosure::keys::{Token, TokenKind};
use sluis::disclosure::seal::SealedEntry;
use sluis::disclosure::store::{Appended, Batch, Head, Row, Store, StoreError, StoredLeaf, StoredPayload};
use sluis::store::sqlite::SqliteStore;
use tokio::sync::Mutex;

/// SQLite, some rows late.
#[derive(Clone)]
pub struct LateStore {
    inner: SqliteStore,
    late: usize,
    waiting: Arc<Mutex<Waiting>>,
}

/// What was acknowledged and is not written.
#[derive(Default)]
struct Waiting {
    batches: VecDeque<OwnedBatch>,
    rows: usize,
}

struct OwnedBatch {
    expect: Head,
    next: Head,
    rows: Vec<(SealedEntry, [u8; 16])>,
}

impl LateStore {
    /// A store that is at least so many rows late, once there are as many; 0 writes in time.
    pub fn new(inner: SqliteStore, late: usize) -> Self {
        Self { inner, late, waiting: Arc::default() }
    }
}

impl OwnedBatch {
    fn of(batch: Batch<'_>) -> Self {
        let rows = batch.rows.iter().map(|row| (row.entry.clone(), row.place)).collect();
        Self { expect: batch.expect.clone(), next: batch.next.clone(), rows }
    }

    async fn write(&self, inner: &SqliteStore) -> Result<Appended, StoreError> {
        let rows: Vec<_> = self.rows.iter().map(|(entry, place)| Row { entry, place: *place }).collect();
        inner.append(Batch { expect: &self.expect, next: &self.next, rows: &rows }).await
    }
}

impl Store for LateStore {
    async fn head(&self) -> Result<Head, StoreError> {
        let waiting = self.waiting.lock().await;
        match waiting.batches.back() {
            Some(last) => Ok(last.next.clone()),
            None => self.inner.head().await,
        }
    }

    async fn append(&self, batch: Batch<'_>) -> Result<Appended, StoreError> {
        let mut waiting = self.waiting.lock().await;
        waiting.rows += batch.rows.len();
        waiting.batches.push_back(OwnedBatch::of(batch));
        while let Some(first) = waiting.batches.front() {
            let left = waiting.rows - first.rows.len();
            if left < self.late {
                break;
            }
            assert_eq!(first.write(&self.inner).await?, Appended::Committed);
            waiting.rows = left;
            waiting.batches.pop_front();
        }
        Ok(Appended::Committed)
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
        self.inner.index(limit).await
    }

    async fn unsearchable(&self, range: Range<u64>) -> Result<Option<u64>, StoreError> {
        self.inner.unsearchable(range).await
    }

    async fn misfiled(&self, kind: TokenKind, first: RangeInclusive<u8>) -> Result<Option<u64>, StoreError> {
        self.inner.misfiled(kind, first).await
    }
}
