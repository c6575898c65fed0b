//! SHA-256 and HMAC of messages that fit in one block (FIPS 180-4, RFC 2104). A commitment makes some ninety of them
//! for each entry; through the general interfaces, most of the time went into their buffers.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

use super::merkle::Hash;

/// Bytes of a block.
const BLOCK: usize = 64;
/// The longest message that leaves room for its padding, in bytes.
pub(super) const LONGEST: usize = BLOCK - 9;

/// The state before the first block (FIPS 180-4, 5.3.3).
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A key of at most 64 bytes, ready for HMAC-SHA256 of short messages.
pub(super) struct ShortMac {
    inner: Zeroizing<[u32; 8]>,
    outer: Zeroizing<[u32; 8]>,
}

impl ShortMac {
    pub fn new(key: &[u8; 32]) -> Self {
        let state = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK]);
            block.iter_mut().zip(key).for_each(|(to, from)| *to ^= from);
            let mut state = Zeroizing::new(START);
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        };
        Self { inner: state(0x36), outer: state(0x5c) }
    }

    /// The tag of a message, given in parts, of at most [`LONGEST`] bytes.
    pub fn tag(&self, parts: &[&[u8]]) -> Hash {
        let inner = last_block(*self.inner, BLOCK, parts);
        last_block(*self.outer, BLOCK, &[&inner])
    }
}

/// The digest of a message, given in parts, of at most [`LONGEST`] bytes.
pub(super) fn digest(parts: &[&[u8]]) -> Hash {
    last_block(START, 0, parts)
}

/// Compresses the last block of a message of which `before` bytes are in the state already.
fn last_block(mut state: [u32; 8], before: usize, parts: &[&[u8]]) -> Hash {
    let mut block = [0; BLOCK];
    let mut len = 0;
    for part in parts {
        block.iter_mut().skip(len).zip(*part).for_each(|(to, from)| *to = *from);
        len += part.len();
    }
    debug_assert!(len <= LONGEST, "a message of more than one block");
    if let Some(end) = block.get_mut(len) {
        *end = 0x80;
    }
    if let Some(bits) = block.last_chunk_mut::<8>() {
        *bits = (8 * (before + len) as u64).to_be_bytes();
    }
    compress256(&mut state, &[block]);
    let mut hash = [0; 32];
    for (to, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    hash
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_general_functions_say(
            key: [u8; 32],
            message in prop::collection::vec(any::<u8>(), 0..=LONGEST),
            cut in 0..=LONGEST,
        ) {
            let (one, other) = message.split_at(cut.min(message.len()));
            prop_assert_eq!(digest(&[one, other]), Hash::from(Sha256::digest(&message)));
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(&message);
            prop_assert_eq!(ShortMac::new(&key).tag(&[one, other]), Hash::from(mac.finalize().into_bytes()));
        }
    }
}
