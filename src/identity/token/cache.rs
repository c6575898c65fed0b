//! Tokens whose signature was verified, by their hash: a token may hold 4 KiB. Two generations: when the young one is
//! full it becomes the old one, and the old one is forgotten; so nothing is searched or sorted to make room.

use std::collections::HashMap;
use std::sync::Arc;

use super::Verified;

/// SHA-256 of a token.
pub(super) type Digest = [u8; 32];

type Generation = HashMap<Digest, Arc<Verified>>;

pub(super) struct Cache {
    young: Generation,
    old: Generation,
    half: usize,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: Generation::new(), old: Generation::new(), half: capacity.div_ceil(2).max(1) }
    }

    pub(super) fn find(&mut self, token: &Digest) -> Option<Arc<Verified>> {
        if let Some(known) = self.young.get(token) {
            return Some(known.clone());
        }
        let known = self.old.remove(token)?;
        self.insert(*token, known.clone());
        Some(known)
    }

    pub(super) fn insert(&mut self, token: Digest, verified: Arc<Verified>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::EndUser;
    use super::*;

    fn verified() -> Arc<Verified> {
        let user = EndUser {
            id: "user".into(),
            asserted_by: "issuer".into(),
            expires: Timestamp::UNIX_EPOCH,
            token_id: None,
            purpose: None,
            case: None,
            client: None,
        };
        Arc::new(Verified {
            user: Arc::new(user),
            organisation: "stad".parse().unwrap(),
            registry: [0; 32],
            not_before: Timestamp::UNIX_EPOCH,
            certificate: None,
            key: None,
        })
    }

    #[test]
    fn it_stays_within_its_capacity_and_keeps_what_is_used() {
        let mut cache = Cache::new(8);
        let used = [255; 32];
        cache.insert(used, verified());
        for n in 0..100 {
            cache.insert([n; 32], verified());
            assert!(cache.find(&used).is_some(), "{n}");
            assert!(cache.young.len() + cache.old.len() <= 8);
        }
        assert!(cache.find(&[99; 32]).is_some());
        assert!(cache.find(&[0; 32]).is_none());
    }
}
