//! The attacks upon the log that `build` makes.

pub struct Attack {
    pub name: &'static str,
    pub sql: &'static str,
    /// The attacker then makes tree and head fit what is left, as far as no key is needed.
    pub refitted: bool,
    /// What four say: verification with keys and mark, with public key and mark, with the public key and nothing that
    /// was kept, and opening. Empty: they pass.
    pub told: [&'static str; 4],
}

/// Each with what tells it.
pub const ATTACKS: &[Attack] = &[
    Attack {
        name: "another payload",
        sql: "UPDATE log_payload SET sealed = zeroblob(length(sealed)) WHERE idx = 9",
        refitted: false,
        told: ["entry 9: the payload does not open", "", "", ""],
    },
    Attack {
        name: "a shorter payload",
        sql: "UPDATE log_payload SET sealed = x'00' WHERE idx = 9",
        refitted: false,
        told: ["entry 9: the payload does not open", "", "", ""],
    },
    Attack {
        name: "payloads swapped",
        sql: "UPDATE log_payload SET sealed = (SELECT sealed FROM log_payload WHERE idx = 6) WHERE idx = 4",
        refitted: false,
        told: ["entry 4: the payload does not open", "", "", ""],
    },
    Attack {
        name: "no payload",
        sql: "DELETE FROM log_payload WHERE idx = 9",
        refitted: false,
        told: [
            "entry 9: its payload is missing",
            "entry 9: the search index has it",
            "entry 9: the search index has it",
            "",
        ],
    },
    Attack {
        name: "another leaf",
        sql: "UPDATE log_entry SET leaf = CAST(substr(leaf, 1, 55) || x'00' AS BLOB) WHERE idx = 8",
        refitted: false,
        told: [
            "entry 8: its leaf is not",
            "entry 8: its leaf is not",
            "entry 8: its leaf is not",
            "entry 8: its leaf is not",
        ],
    },
    Attack {
        name: "half a leaf",
        sql: "UPDATE log_entry SET leaf = x'00' WHERE idx = 8",
        refitted: false,
        told: [
            "entry 8: its row is malformed",
            "entry 8: its row is malformed",
            "entry 8: its row is malformed",
            "entry 8: its row is malformed",
        ],
    },
    Attack {
        name: "another hash",
        sql: "UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE idx = 8",
        refitted: false,
        told: [
            "entry 8: its leaf is not",
            "entry 8: its leaf is not",
            "entry 8: its leaf is not",
            "entry 8: its leaf is not",
        ],
    },
    Attack {
        name: "another leaf with its hash",
        sql: "UPDATE log_entry SET (leaf, leaf_hash) = \
              (SELECT leaf, leaf_hash FROM log_entry WHERE idx = 6) WHERE idx = 8",
        refitted: false,
        told: [
            "entry 8: it is not what the log appended",
            "the first 26 entries are not those",
            "the first 26 entries are not those",
            "rollback: the log's first 26 entries are not those",
        ],
    },
    Attack {
        name: "a middle row deleted",
        sql: "DELETE FROM log_entry WHERE idx = 10; DELETE FROM log_payload WHERE idx = 10",
        refitted: false,
        told: [
            "entry 10: it is missing",
            "entry 10: it is missing",
            "entry 10: it is missing",
            "entry 10: it is missing",
        ],
    },
    Attack {
        name: "the tail deleted",
        sql: "DELETE FROM log_entry WHERE idx >= 20; DELETE FROM log_payload WHERE idx >= 20",
        refitted: false,
        told: [
            "entry 20: it is missing",
            "entry 20: it is missing",
            "entry 20: it is missing",
            "entry 20: it is missing",
        ],
    },
    Attack {
        name: "two rows swapped",
        sql: "UPDATE log_entry SET idx = -1 WHERE idx = 4; UPDATE log_entry SET idx = 4 WHERE idx = 6; \
              UPDATE log_entry SET idx = 6 WHERE idx = -1; \
              UPDATE log_payload SET idx = -1 WHERE idx = 4; UPDATE log_payload SET idx = 4 WHERE idx = 6; \
              UPDATE log_payload SET idx = 6 WHERE idx = -1",
        refitted: false,
        told: [
            "entry 4: it is not what the log appended",
            "entry 4: the search index lacks it",
            "entry 4: the search index lacks it",
            "rollback: the log's first 26 entries are not those",
        ],
    },
    Attack {
        name: "a row beyond the head",
        sql: "INSERT INTO log_entry SELECT 26, leaf, leaf_hash, place, closes FROM log_entry WHERE idx = 4",
        refitted: false,
        told: [
            "entry 26: it lies beyond",
            "entry 26: it lies beyond",
            "entry 26: it lies beyond",
            "entry 26: it lies beyond",
        ],
    },
    Attack {
        name: "a row far beyond the head",
        sql: "INSERT INTO log_entry SELECT 900, leaf, leaf_hash, place, closes FROM log_entry WHERE idx = 4",
        refitted: false,
        told: [
            "entry 900: it lies beyond",
            "entry 900: it lies beyond",
            "entry 900: it lies beyond",
            "entry 900: it lies beyond",
        ],
    },
    Attack {
        name: "a payload beyond the head",
        sql: "INSERT INTO log_payload SELECT 27, sealed, tokens FROM log_payload WHERE idx = 4",
        refitted: false,
        told: [
            "entry 27: it lies beyond",
            "entry 27: it lies beyond",
            "entry 27: it lies beyond",
            "entry 27: it lies beyond",
        ],
    },
    Attack {
        name: "a row within a larger head",
        sql: "INSERT INTO log_entry SELECT 26, leaf, leaf_hash, place, closes FROM log_entry WHERE idx = 4; \
              INSERT INTO log_payload SELECT 26, sealed, tokens FROM log_payload WHERE idx = 4; \
              UPDATE log_head SET size = 27",
        refitted: false,
        told: [
            "entry 26: it is not what the log appended",
            "the tree over the 27 entries",
            "the tree over the 27 entries",
            "the log's head was not",
        ],
    },
    Attack {
        name: "tokens of somebody else",
        sql: "UPDATE log_payload SET tokens = (SELECT tokens FROM log_payload WHERE idx = 6) WHERE idx = 8",
        refitted: false,
        told: [
            "entry 8: its search tokens",
            "entry 8: the search index lacks it",
            "entry 8: the search index lacks it",
            "",
        ],
    },
    Attack {
        name: "no tokens",
        sql: "UPDATE log_payload SET tokens = zeroblob(80) WHERE idx = 8",
        refitted: false,
        told: [
            "entry 8: its search tokens",
            "entry 8: the search index has it",
            "entry 8: the search index has it",
            "",
        ],
    },
    Attack {
        name: "a row of the search index deleted",
        sql: "DELETE FROM log_search WHERE kind = 0 AND idx = 12",
        refitted: false,
        told: [
            "entry 12: the search index lacks it",
            "entry 12: the search index lacks it",
            "entry 12: the search index lacks it",
            "",
        ],
    },
    Attack {
        name: "a row of the search index planted",
        sql: "INSERT INTO log_search SELECT kind, token, 10 FROM log_search WHERE kind = 0 AND idx = 8; \
              INSERT INTO log_search SELECT kind, token, 900 FROM log_search WHERE kind = 3 AND idx = 8",
        refitted: false,
        told: [
            "entry 10: the search index has it",
            "entry 10: the search index has it",
            "entry 10: the search index has it",
            "",
        ],
    },
    Attack {
        name: "another question closed",
        sql: "UPDATE log_entry SET closes = 23 WHERE idx = 24",
        refitted: false,
        told: [
            "entry 24: it is not what the log appended",
            "entry 25: it closes what is not an open question",
            "entry 25: it closes what is not an open question",
            "entry 25: it closes what is not an open question",
        ],
    },
    Attack {
        name: "a question closed twice",
        sql: "UPDATE log_entry SET closes = 4 WHERE idx = 7",
        refitted: false,
        told: [
            "entry 7: it closes what",
            "entry 7: it closes what",
            "entry 7: it closes what",
            "entry 7: it closes what",
        ],
    },
    Attack {
        name: "a question closed that cannot be",
        sql: "UPDATE log_entry SET closes = -1 WHERE idx = 7",
        refitted: false,
        told: [
            "entry 7: its row is malformed",
            "entry 7: its row is malformed",
            "entry 7: its row is malformed",
            "entry 7: its row is malformed",
        ],
    },
    Attack {
        name: "a size that cannot be",
        sql: "UPDATE log_head SET size = -1",
        refitted: false,
        told: [
            "the head was not made",
            "the head was not made",
            "the head was not made",
            "the log's head was not made",
        ],
    },
    Attack {
        name: "an epoch that cannot be",
        sql: "UPDATE log_head SET epoch = -1",
        refitted: false,
        told: [
            "the head was not made",
            "the head was not made",
            "the head was not made",
            "the log's head was not made",
        ],
    },
    Attack {
        name: "a release of nothing asked",
        sql: "UPDATE log_entry SET closes = NULL WHERE idx = 7",
        refitted: false,
        told: [
            "entry 7: its kind and",
            "entry 7: its kind and",
            "entry 7: its kind and",
            "entry 7: its kind and",
        ],
    },
    Attack {
        name: "a planted head",
        sql: "UPDATE log_head SET mac = zeroblob(32)",
        refitted: false,
        told: ["the head was not made", "", "", "the log's head was not made"],
    },
    Attack {
        name: "another root",
        sql: "UPDATE log_head SET root = zeroblob(32)",
        refitted: false,
        told: [
            "the tree over the 26 entries",
            "the tree over the 26 entries",
            "the tree over the 26 entries",
            "the log's head was not made",
        ],
    },
    Attack {
        name: "another right edge",
        sql: "UPDATE log_head SET frontier = zeroblob(96)",
        refitted: false,
        told: [
            "the tree over the 26 entries",
            "the tree over the 26 entries",
            "the tree over the 26 entries",
            "the tree over the log's 26 entries",
        ],
    },
    Attack {
        name: "another restart",
        sql: "UPDATE log_head SET restarted = 20",
        refitted: false,
        told: ["the head was not made", "", "", "the log's head was not made"],
    },
    Attack {
        name: "a forged checkpoint",
        sql: "UPDATE log_head SET checkpoint = replace(checkpoint, '26', '25')",
        refitted: false,
        told: ["a checkpoint does not open", "a checkpoint does not open", "a checkpoint does not open", ""],
    },
    Attack {
        name: "a malformed row behind another payload",
        sql: "UPDATE log_payload SET sealed = zeroblob(length(sealed)) WHERE idx = 9; \
              UPDATE log_entry SET leaf = x'00' WHERE idx = 20",
        refitted: false,
        told: [
            "entry 9: the payload does not open",
            "entry 20: its row is malformed",
            "entry 20: its row is malformed",
            "entry 20: its row is malformed",
        ],
    },
    Attack {
        name: "a malformed payload behind a row that is missing",
        sql: "DELETE FROM log_entry WHERE idx = 10; UPDATE log_payload SET tokens = x'00' WHERE idx = 20",
        refitted: false,
        told: [
            "entry 10: it is missing",
            "entry 10: it is missing",
            "entry 10: it is missing",
            "entry 10: it is missing",
        ],
    },
    Attack {
        name: "another hash behind a row of the search index deleted",
        sql: "DELETE FROM log_search WHERE kind = 0 AND idx = 12; \
              UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE idx = 20",
        refitted: false,
        told: [
            "entry 12: the search index lacks it",
            "entry 12: the search index lacks it",
            "entry 12: the search index lacks it",
            "entry 20: its leaf is not",
        ],
    },
    Attack {
        name: "all rewritten without one exchange, and no checkpoint",
        sql: "DELETE FROM log_entry WHERE idx IN (8, 9); DELETE FROM log_payload WHERE idx IN (8, 9); \
              DELETE FROM log_search; UPDATE log_indexed SET size = 0; \
              UPDATE log_entry SET closes = closes - 2 WHERE closes > 9; \
              UPDATE log_entry SET idx = 2 - idx WHERE idx > 9; UPDATE log_entry SET idx = -idx WHERE idx < 0; \
              UPDATE log_payload SET idx = 2 - idx WHERE idx > 9; UPDATE log_payload SET idx = -idx WHERE idx < 0; \
              UPDATE log_head SET checkpoint = ''",
        refitted: true,
        told: [
            "entry 8: it is not what the log appended",
            "entry 24: it is missing; the log ends here, and 26",
            "no signature covers any of the 24 entries",
            "the log's head was not made",
        ],
    },
    Attack {
        name: "everything deleted",
        sql: "DELETE FROM log_entry; DELETE FROM log_payload; DELETE FROM log_search; \
              UPDATE log_indexed SET size = 0; \
              UPDATE log_head SET size = 0, frontier = x'', checkpoint = '', \
              root = x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        refitted: false,
        told: ["entry 0: it is missing", "entry 0: it is missing", "", "rollback: the log has 0 entries"],
    },
];
