//! The filter against the oracle, over all kinds of messages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Value};

use super::generate::{CANARY, Generator};
use super::oracle::{is_unordered, maps_are_maps, prune, render};
use super::{Filtered, Limits, exact, filter};
use crate::domain::grant::Trie;
use crate::domain::grant::specimen::everything;

/// What may be granted in these tests: whole and part, scalar and message, through lists, maps and oneofs.
const PATHS: [&str; 64] = [
    "i32",
    "i64",
    "u32",
    "u64",
    "s32",
    "s64",
    "flag",
    "f32",
    "f64",
    "sf32",
    "sf64",
    "float",
    "double",
    "text",
    "blob",
    "colour",
    "inner",
    "inner.name",
    "inner.count",
    "inner.deep",
    "inner.deep.note",
    "inner.deep.ns",
    "inner.list.set",
    "inner.x",
    "inner.y.note",
    "inners",
    "inners.name",
    "inners.deep.mark",
    "inners.list",
    "inners.y",
    "ints",
    "loose",
    "texts",
    "doubles",
    "colours",
    "flags",
    "loose_sints",
    "labels",
    "by_number",
    "by_number.value.name",
    "by_number.value.deep",
    "by_flag",
    "by_fixed",
    "maybe",
    "maybe_text",
    "a",
    "b",
    "c",
    "c.name",
    "c.deep.note",
    "legacy",
    "legacy.number",
    "legacy.shade",
    "legacy.run",
    "legacy.shades",
    "legacy.p",
    "legacy.inner.name",
    "tree.label",
    "tree.branches.label",
    "tree.left.left.label",
    "nothing",
    "nothings",
    "loose_fixed",
    "far",
];
const LIMITS: Limits = Limits { depth: 64, bytes: 1 << 20, fields: 1 << 16 };

/// The paths of a mask, less those that another contains.
fn choose(mask: u64) -> Vec<&'static str> {
    let chosen: Vec<&str> = (0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| PATHS[bit]).collect();
    let inside = |path: &str| {
        chosen.iter().any(|outer| path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.')))
    };
    chosen.iter().copied().filter(|path| !inside(path)).collect()
}

fn decode(bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(everything(), bytes).ok()
}

fn pruned(message: &DynamicMessage, paths: &[&str]) -> DynamicMessage {
    let mut message = message.clone();
    prune(&mut message, "", paths);
    message
}

/// The filter does as the oracle, byte for byte.
fn agrees(bytes: &[u8], decoded: &DynamicMessage, paths: &[&str]) -> Result<Filtered, TestCaseError> {
    let trie = Trie::compile(&everything(), paths).unwrap();
    let expected = pruned(decoded, paths);
    let filtered = filter(&trie, bytes, &LIMITS).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let again = decode(&filtered.bytes).unwrap();
    prop_assert_eq!(render(&again), render(&decode(&expected.encode_to_vec()).unwrap()));
    if !is_unordered(&expected) {
        prop_assert_eq!(&filtered.bytes, &expected.encode_to_vec());
    }
    prop_assert_eq!(filter(&trie, &filtered.bytes, &LIMITS), Ok(filtered.clone()));
    prop_assert_eq!(exact::filter(&trie, bytes, &LIMITS), Ok(filtered.clone()));
    let had: Vec<&str> = filtered.paths.names(&trie).collect();
    let have: Vec<&str> =
        paths.iter().copied().filter(|path| pruned(decoded, &[path]).encoded_len() > 0).collect();
    prop_assert_eq!(had, have);
    Ok(filtered)
}

/// Whatever the bytes: no panic, only what is granted, and the oracle's answer where it has one.
fn withstands(bytes: &[u8], paths: &[&str]) -> Result<(), TestCaseError> {
    if let Some(decoded) = decode(bytes).filter(|_| maps_are_maps(&everything(), bytes)) {
        return agrees(bytes, &decoded, paths).map(drop);
    }
    let trie = Trie::compile(&everything(), paths).unwrap();
    if let Ok(filtered) = filter(&trie, bytes, &LIMITS) {
        let decoded = decode(&filtered.bytes).unwrap();
        prop_assert_eq!(render(&pruned(&decoded, paths)), render(&decoded));
        prop_assert_eq!(filter(&trie, &filtered.bytes, &LIMITS), Ok(filtered));
    }
    Ok(())
}

/// Removes every `note`, and the messages that held nothing else.
fn remove_notes(message: &mut DynamicMessage) {
    fn stays(value: &mut Value) -> bool {
        let Some(inner) = value.as_message_mut() else {
            return true;
        };
        let before = inner.encoded_len();
        remove_notes(inner);
        before == inner.encoded_len() || inner.encoded_len() > 0
    }
    for (field, _) in message.clone().fields() {
        let keep = match message.get_field_mut(&field) {
            _ if field.name() == "note" => false,
            Value::List(values) => {
                values.retain_mut(stays);
                true
            }
            Value::Map(entries) => {
                entries.retain(|_, value| stays(value));
                true
            }
            value => stays(value),
        };
        if !keep {
            message.clear_field(&field);
        }
    }
}

fn tape() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

/// Few paths, many paths, all of them.
fn mask() -> impl Strategy<Value = u64> {
    (any::<u64>(), any::<u64>(), 0..3_usize).prop_map(|(a, b, how)| [a & b, a, a | b][how])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(700))]

    #[test]
    fn does_as_the_oracle_with_any_valid_message(tape in tape(), mask in mask(), ordered: bool) {
        let paths = choose(mask);
        let mut generator = Generator { ordered, tape: tape.iter(), paths: &paths };
        let bytes = generator.message(&everything(), "", 0);
        let decoded = decode(&bytes).expect("the generator makes valid messages");
        let filtered = agrees(&bytes, &decoded, &paths)?;
        prop_assert!(!filtered.bytes.windows(CANARY.len()).any(|window| window == CANARY));
        let canonical = agrees(&decoded.encode_to_vec(), &decoded, &paths)?;
        prop_assert_eq!(canonical, filtered);
    }

    /// A value that is withheld cannot be told from one that the source does not have.
    #[test]
    fn what_is_withheld_looks_absent(tape in tape(), mask in mask(), ordered: bool) {
        let paths = choose(mask);
        let bytes = Generator { ordered, tape: tape.iter(), paths: &paths }.message(&everything(), "", 0);
        let withheld = Trie::compile(&everything(), &paths).unwrap().without(|field| field.name() == "note");
        let mut absent = decode(&bytes).unwrap();
        remove_notes(&mut absent);
        let absent = filter(&withheld, &absent.encode_to_vec(), &LIMITS);
        prop_assert_eq!(filter(&withheld, &bytes, &LIMITS), absent);
    }

    #[test]
    fn withstands_mutations(
        tape in tape(),
        mask in mask(),
        ordered: bool,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..4),
    ) {
        let paths = choose(mask);
        let mut bytes = Generator { ordered, tape: tape.iter(), paths: &paths }.message(&everything(), "", 0);
        for (place, byte, change) in changes {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match change {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => drop(bytes.remove(place)),
                _ => bytes.truncate(place),
            }
        }
        withstands(&bytes, &paths)?;
    }

    #[test]
    fn withstands_anything(bytes in tape(), mask in mask()) {
        withstands(&bytes, &choose(mask))?;
    }
}
