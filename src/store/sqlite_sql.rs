//! The SQL of the SQLite store: every statement that is ever run is a constant of this file.

use std::fmt::Write as _;
use std::sync::LazyLock;

pub const VERSION: &str = "SELECT sqlite_version()";

/// How a connection is really set, whatever was asked of it.
pub const DURABILITY: &str =
    "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)";

/// Versions of the schema that are in the file.
pub const SCHEMA: &str = "SELECT max(version) FROM _sqlx_migrations WHERE success";

pub const BEGIN: &str = "BEGIN IMMEDIATE";

pub const HEAD: &str =
    "SELECT size, root, frontier, mac, restarted, epoch, checkpoint FROM log_head WHERE id = 1";

pub static APPENDS: LazyLock<Appends> = LazyLock::new(Appends::new);

pub const LEAVES: &str = "SELECT idx, leaf, leaf_hash, place, closes FROM log_entry \
     WHERE idx >= $1 AND idx < $2 ORDER BY idx";

pub const PAYLOADS: &str =
    "SELECT idx, sealed, tokens FROM log_payload WHERE idx >= $1 AND idx < $2 ORDER BY idx";

pub const BEYOND: &str = "SELECT min(idx) FROM (SELECT min(idx) AS idx FROM log_entry WHERE idx >= $1 \
     UNION ALL SELECT min(idx) FROM log_payload WHERE idx >= $1)";

pub const INDEXED: &str = "SELECT size FROM log_indexed WHERE id = 1";

pub const UNINDEXED: &str =
    "SELECT (SELECT size FROM log_head WHERE id = 1), size FROM log_indexed WHERE id = 1";

pub const FIND_INDEXED: &str = "SELECT idx FROM log_search \
     WHERE kind = $1 AND token = $2 AND idx >= $3 AND idx < $4 ORDER BY idx LIMIT $5";

pub const FIND_TAIL: &str = "SELECT idx, substr(tokens, $1 * 16 + 1, 16) FROM log_payload \
     WHERE idx >= $2 AND idx < $3 ORDER BY idx";

/// Takes the entries of a range into the search index, in its own order: neighbours share a page. Sixteen zeros stand
/// for no value.
pub const INDEX: &str = "INSERT INTO log_search (kind, token, idx) \
     SELECT k.kind, substr(p.tokens, k.kind * 16 + 1, 16), p.idx FROM log_payload p \
     CROSS JOIN (SELECT column1 AS kind FROM (VALUES (0), (1), (2), (3), (4))) k \
     WHERE p.idx >= $1 AND p.idx < $2 AND substr(p.tokens, k.kind * 16 + 1, 16) <> zeroblob(16) \
     ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING";

pub const MOVE_INDEXED: &str = "UPDATE log_indexed SET size = $1 WHERE id = 1 AND size = $2";

pub const UNSEARCHABLE: &str = "SELECT min(p.idx) FROM log_payload p \
     CROSS JOIN (SELECT column1 AS kind FROM (VALUES (0), (1), (2), (3), (4))) k \
     WHERE p.idx >= $1 AND p.idx < min($2, (SELECT size FROM log_indexed WHERE id = 1)) \
     AND substr(p.tokens, k.kind * 16 + 1, 16) <> zeroblob(16) \
     AND NOT EXISTS (SELECT 1 FROM log_search s WHERE s.kind = k.kind \
         AND s.token = substr(p.tokens, k.kind * 16 + 1, 16) AND s.idx = p.idx)";

pub const MISFILED: &str = "SELECT min(s.idx) FROM log_search s \
     WHERE s.kind = $1 AND s.token >= $2 AND s.token < $3 \
     AND NOT EXISTS (SELECT 1 FROM log_payload p \
         WHERE p.idx = s.idx AND substr(p.tokens, s.kind * 16 + 1, 16) = s.token)";

/// The compare-and-swap that serialises every append. A row comes back where it was the expected head.
const MOVE_HEAD: &str = "UPDATE log_head SET size = ?, root = ?, frontier = ?, mac = ?, \
     restarted = ?, epoch = ?, checkpoint = ? WHERE id = 1 AND size = ? AND root = ? AND epoch = ? RETURNING 1";

/// Rows that one append takes at most. (SQLite binds 32,766 values to a statement.)
const MOST: usize = 1024;

/// A whole append as one text, so that it goes to the database at once and not statement by statement: one
/// transaction that moves the head and inserts the rows, or, where the head is another, nothing. `changes()` is the
/// number of rows of the statement before.
///
/// There are a few sizes only, so that each is prepared once. A batch that does not fill its size binds NULL to what
/// is left, and rows of NULL are passed over. Places of values are not numbered: SQLite would look each number up
/// among all others.
pub struct Appends(Vec<(usize, String)>);

impl Appends {
    fn new() -> Self {
        let sizes = std::iter::successors(Some(1), |size| Some(size * 2)).take_while(|&size| size <= MOST);
        Self(std::iter::once(0).chain(sizes).map(|size| (size, append(size))).collect())
    }

    /// The text for a batch, and the number of rows that it binds. Nothing for a batch that is too large.
    pub fn of(&self, rows: usize) -> Option<(&str, usize)> {
        self.0.iter().find(|(size, _)| *size >= rows).map(|(size, text)| (&**text, *size))
    }
}

fn append(rows: usize) -> String {
    let mut text = format!("{BEGIN}; {MOVE_HEAD}; ");
    if rows > 0 {
        for (table, columns) in [("log_entry", 5), ("log_payload", 3)] {
            let row = format!("(?{})", ", ?".repeat(columns - 1));
            let more = format!(", {row}").repeat(rows - 1);
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "INSERT INTO {table} SELECT * FROM (VALUES {row}{more}) WHERE column1 IS NOT NULL AND changes() > 0; "
            );
        }
    }
    text + "COMMIT"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_is_served_by_a_few_texts() {
        let appends = Appends::new();
        for (rows, taken) in [(0, 0), (1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (512, 512), (1024, 1024)] {
            let (text, bound) = appends.of(rows).unwrap();
            assert_eq!(bound, taken, "{rows} rows");
            assert_eq!(text.matches('?').count(), 10 + taken * 8, "{rows} rows");
        }
        assert!(appends.of(1025).is_none());
    }
}
