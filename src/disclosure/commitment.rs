//! The commitment to a record: salted per column, so that one column can be opened to somebody
//! without the others (compare SD-JWT, RFC 9901), and worthless to a guesser without the seed.
//!
//! ```text
//! salt_i = HMAC-SHA256(seed, "dl1/salt" ‖ i)                       i u16, the column's number
//! d_i    = SHA-256("dl1/field" ‖ i ‖ salt_i ‖ len ‖ value_i)       len u32
//! commit = SHA-256("dl1/commit" ‖ n ‖ d_1 ‖ … ‖ d_n)               n u16
//! ```

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::merkle::Hash;
use super::record::{Column, Record};
use super::short::{self, ShortMac};

/// The 32 random bytes that salt one record: kept in its sealed payload only.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// A seed of these bytes, which must be random and never used for another record.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to be sealed.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The commitment to every column of a record.
pub fn commit(seed: &Seed, record: &Record) -> Hash {
    let key = ShortMac::new(&seed.0);
    let mut commit = Sha256::new();
    commit.update(b"dl1/commit");
    commit.update(record.as_bytes().get(..2).unwrap_or_default());
    for (i, value) in (1..).zip(record.values()) {
        commit.update(field_digest(i, &salt(&key, i), value));
    }
    commit.finalize().into()
}

/// What opens one column of a record to somebody who holds its leaf.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The column's number.
    pub column: u16,
    /// Its salt.
    pub salt: Hash,
    /// Its value.
    pub value: Vec<u8>,
    /// The digests of all columns in order: they hide the others.
    pub digests: Vec<Hash>,
}

/// Opens one column.
pub fn open(seed: &Seed, record: &Record, column: Column) -> Opening {
    let key = ShortMac::new(&seed.0);
    let digests = (1..).zip(record.values()).map(|(i, value)| field_digest(i, &salt(&key, i), value));
    Opening {
        column: column as u16,
        salt: salt(&key, column as u16),
        value: record.bytes(column).unwrap_or_default().to_vec(),
        digests: digests.collect(),
    }
}

/// Whether an opening shows what a leaf with this commitment committed to.
pub fn verify(commitment: &Hash, opening: &Opening) -> bool {
    let Ok(count) = u16::try_from(opening.digests.len()) else { return false };
    let digest = field_digest(opening.column, &opening.salt, &opening.value);
    let mut commit = Sha256::new();
    commit.update(b"dl1/commit");
    commit.update(count.to_be_bytes());
    opening.digests.iter().for_each(|digest| commit.update(digest));
    let at = usize::from(opening.column).checked_sub(1);
    at.and_then(|at| opening.digests.get(at)) == Some(&digest) && Hash::from(commit.finalize()) == *commitment
}

fn salt(key: &ShortMac, i: u16) -> Hash {
    key.tag(&[b"dl1/salt", &i.to_be_bytes()])
}

fn field_digest(i: u16, salt: &Hash, value: &[u8]) -> Hash {
    let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    let parts: [&[u8]; 5] = [b"dl1/field", &i.to_be_bytes(), salt, &len.to_be_bytes(), value];
    if parts.iter().map(|part| part.len()).sum::<usize>() <= short::LONGEST {
        return short::digest(&parts);
    }
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}
