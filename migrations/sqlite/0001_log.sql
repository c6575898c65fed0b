-- The disclosure log. docs/log-format.md says what each column holds.

-- One row: what the next append must find unchanged.
CREATE TABLE log_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    size       INTEGER NOT NULL,
    root       BLOB    NOT NULL,
    frontier   BLOB    NOT NULL,
    mac        BLOB    NOT NULL,
    restarted  INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    checkpoint TEXT    NOT NULL
) STRICT;

-- SHA-256 of nothing is the root of a tree without leaves (RFC 6962, section 2.1).
INSERT INTO log_head VALUES
    (1, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', x'', zeroblob(32), 0, 0, '');

-- Kept for ever, and free of personal data; apart from the payloads, so that a walk over the tree
-- reads 110 bytes an entry.
CREATE TABLE log_entry (
    idx       INTEGER PRIMARY KEY,
    leaf      BLOB    NOT NULL,
    leaf_hash BLOB    NOT NULL,
    place     BLOB    NOT NULL,
    closes    INTEGER
) STRICT;

-- Erased when its retention ends.
CREATE TABLE log_payload (
    idx    INTEGER PRIMARY KEY,
    sealed BLOB    NOT NULL,
    tokens BLOB    NOT NULL
) STRICT;

-- The search index, filled behind the log: random keys in the append would cost it most of its
-- throughput. log_indexed says how far it reaches.
CREATE TABLE log_search (
    kind  INTEGER NOT NULL,
    token BLOB    NOT NULL,
    idx   INTEGER NOT NULL,
    PRIMARY KEY (kind, token, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_indexed (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL
) STRICT;

INSERT INTO log_indexed VALUES (1, 0);

-- These keep accidents out. What keeps a hostile administrator out is the tree.
CREATE TRIGGER log_entry_no_update BEFORE UPDATE ON log_entry
BEGIN SELECT RAISE(ABORT, 'log entries never change'); END;
CREATE TRIGGER log_entry_no_delete BEFORE DELETE ON log_entry
BEGIN SELECT RAISE(ABORT, 'log entries are never deleted'); END;
CREATE TRIGGER log_payload_no_update BEFORE UPDATE ON log_payload
BEGIN SELECT RAISE(ABORT, 'log entries never change'); END;
CREATE TRIGGER log_payload_no_delete BEFORE DELETE ON log_payload
BEGIN SELECT RAISE(ABORT, 'log entries are never deleted'); END;
CREATE TRIGGER log_head_no_delete BEFORE DELETE ON log_head
BEGIN SELECT RAISE(ABORT, 'the head is never deleted'); END;
