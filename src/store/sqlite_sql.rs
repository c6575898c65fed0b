//! The SQL of the SQLite store: every statement that is ever run is a constant of this file.

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

/// The compare-and-swap that serialises every append.
pub const MOVE_HEAD: &str = "UPDATE log_head SET size = $1, root = $2, frontier = $3, mac = $4, \
     restarted = $5, epoch = $6, checkpoint = $7 \
     WHERE id = 1 AND size = $8 AND root = $9 AND epoch = $10";

pub static INSERT_ENTRIES: LazyLock<Inserts> = LazyLock::new(|| Inserts::new("log_entry", 5));
pub static INSERT_PAYLOADS: LazyLock<Inserts> = LazyLock::new(|| Inserts::new("log_payload", 3));

pub const LEAVES: &str = "SELECT idx, leaf, leaf_hash, place, closes FROM log_entry \
     WHERE idx >= $1 AND idx < $2 ORDER BY idx";

pub const PAYLOADS: &str =
    "SELECT idx, sealed, tokens FROM log_payload WHERE idx >= $1 AND idx < $2 ORDER BY idx";

pub const INDEXED: &str = "SELECT size FROM log_indexed WHERE id = 1";

pub const UNINDEXED: &str =
    "SELECT (SELECT size FROM log_head WHERE id = 1), size FROM log_indexed WHERE id = 1";

pub const FIND_INDEXED: &str = "SELECT idx FROM log_search \
     WHERE kind = $1 AND token = $2 AND idx >= $3 AND idx < $4 ORDER BY idx LIMIT $5";

pub const FIND_TAIL: &str = "SELECT idx, substr(tokens, $1 * 16 + 1, 16) FROM log_payload \
     WHERE idx >= $2 AND idx < $3 ORDER BY idx";

/// Takes the entries of a range into the search index. Sixteen zeros stand for no value.
pub const INDEX: &str = "INSERT INTO log_search (kind, token, idx) \
     SELECT k.kind, substr(p.tokens, k.kind * 16 + 1, 16), p.idx FROM log_payload p \
     CROSS JOIN (SELECT column1 AS kind FROM (VALUES (0), (1), (2), (3), (4))) k \
     WHERE p.idx >= $1 AND p.idx < $2 AND substr(p.tokens, k.kind * 16 + 1, 16) <> zeroblob(16) \
     ON CONFLICT DO NOTHING";

pub const MOVE_INDEXED: &str = "UPDATE log_indexed SET size = $1 WHERE id = 1 AND size = $2";

pub const UNSEARCHABLE: &str = "SELECT min(p.idx) FROM log_payload p \
     CROSS JOIN (SELECT column1 AS kind FROM (VALUES (0), (1), (2), (3), (4))) k \
     WHERE p.idx >= $1 AND p.idx < min($2, (SELECT size FROM log_indexed WHERE id = 1)) \
     AND substr(p.tokens, k.kind * 16 + 1, 16) <> zeroblob(16) \
     AND NOT EXISTS (SELECT 1 FROM log_search s WHERE s.kind = k.kind \
         AND s.token = substr(p.tokens, k.kind * 16 + 1, 16) AND s.idx = p.idx)";

/// Rows of the large insert.
const MANY: usize = 64;
/// Rows of the small insert.
const FEW: usize = 8;

/// Inserts of a few fixed sizes, so that each is prepared once. A batch that does not fill one
/// leaves its last parameters unbound, so NULL, and rows of NULL are passed over.
pub struct Inserts {
    one: String,
    few: String,
    many: String,
}

impl Inserts {
    fn new(table: &str, columns: usize) -> Self {
        let insert = |rows| format!("INSERT INTO {table} {}", values(rows, columns));
        Self { one: insert(1), few: insert(FEW), many: insert(MANY) }
    }

    /// The statement for the next rows of a batch, and how many of them it takes.
    pub fn next(&self, rows: usize) -> (&str, usize) {
        match rows {
            1 => (&self.one, 1),
            2..=FEW => (&self.few, rows),
            _ => (&self.many, rows.min(MANY)),
        }
    }
}

fn values(rows: usize, columns: usize) -> String {
    let mut values = String::from("SELECT * FROM (VALUES ");
    for parameter in 0..rows * columns {
        let opening = match parameter {
            0 => "(",
            _ if parameter % columns == 0 => "), (",
            _ => ", ",
        };
        values.push_str(opening);
        // Without a name: the driver asks for the name of each parameter, and SQLite searches a list for it.
        values.push('?');
    }
    values + ")) WHERE column1 IS NOT NULL"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_is_served_by_three_statements() {
        assert_eq!(values(2, 2), "SELECT * FROM (VALUES (?, ?), (?, ?)) WHERE column1 IS NOT NULL");
        let inserts = Inserts::new("log_payload", 3);
        for (rows, taken) in [(1, 1), (2, 2), (8, 8), (9, 9), (64, 64), (512, 64)] {
            assert_eq!(inserts.next(rows).1, taken, "{rows} rows");
        }
    }
}
