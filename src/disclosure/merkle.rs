//! The tree of RFC 6962, section 2.1, as far as a writer needs it: the right edge and its root.
//! Not here: proofs and tiles.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf (RFC 6962: `SHA-256(0x00 ‖ leaf)`).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The roots of the perfect subtrees along the right edge, largest first: all that is needed to
/// append and to know the root. There is one for each bit set in the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of a leaf.
    pub fn append(&mut self, leaf: Hash) {
        let mut root = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                root = node_hash(&left, &root);
            }
        }
        self.roots.push(root);
        self.size += 1;
    }

    /// The root of the tree; SHA-256 of nothing for the empty tree.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => Sha256::digest([]).into(),
            Some(last) => roots.fold(*last, |right, left| node_hash(left, &right)),
        }
    }

    /// The subtree roots one after the other, 32 bytes each.
    pub fn encode(&self) -> Vec<u8> {
        self.roots.concat()
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962, section 2.1, word for word.
    fn tree_hash(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => leaf_hash(leaf),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&tree_hash(left), &tree_hash(right))
            }
        }
    }

    proptest! {
        #[test]
        fn the_root_is_that_of_the_standard_and_of_another_library(
            leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..200)
        ) {
            let mut frontier = Frontier::default();
            let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
            for leaf in &leaves {
                frontier.append(leaf_hash(leaf));
                other.push(leaf.clone());
            }
            prop_assert_eq!(frontier.root(), tree_hash(&leaves));
            if !leaves.is_empty() {
                let root = other.root();
                prop_assert_eq!(&frontier.root()[..], root.as_bytes().as_slice());
            }
            prop_assert_eq!(frontier.roots.len(), frontier.size().count_ones() as usize);
        }
    }

    #[test]
    fn a_repeated_last_leaf_is_another_tree() {
        let root = |leaves: &[&[u8]]| {
            let mut frontier = Frontier::default();
            for leaf in leaves {
                frontier.append(leaf_hash(leaf));
            }
            frontier.root()
        };
        assert_ne!(root(&[b"a", b"b", b"c"]), root(&[b"a", b"b", b"c", b"c"]));
    }
}
