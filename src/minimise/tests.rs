//! The filter against the oracle.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message;

use super::generate::{CANARY, Generator};
use super::oracle::{is_unordered, prune, render};
use super::{FilterError, Filtered, Limits, exact, fast, filter};
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
const LIMITS: Limits = Limits {
    depth: 64,
    bytes: 1 << 20,
    fields: 1 << 16,
};

/// The paths of a mask, less those that another contains.
fn choose(mask: u64) -> Vec<&'static str> {
    let chosen: Vec<&str> = (0..64)
        .filter(|bit| mask >> bit & 1 == 1)
        .map(|bit| PATHS[bit])
        .collect();
    let inside = |path: &str| {
        chosen.iter().any(|outer| {
            path.strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    chosen
        .iter()
        .copied()
        .filter(|path| !inside(path))
        .collect()
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
fn agrees(
    bytes: &[u8],
    decoded: &DynamicMessage,
    paths: &[&str],
) -> Result<Filtered, TestCaseError> {
    let trie = Trie::compile(&everything(), paths).unwrap();
    let expected = pruned(decoded, paths);
    let filtered =
        filter(&trie, bytes, &LIMITS).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let again = decode(&filtered.bytes).unwrap();
    prop_assert_eq!(
        render(&again),
        render(&decode(&expected.encode_to_vec()).unwrap())
    );
    if !is_unordered(&expected) {
        prop_assert_eq!(&filtered.bytes, &expected.encode_to_vec());
    }
    prop_assert_eq!(
        filter(&trie, &filtered.bytes, &LIMITS),
        Ok(filtered.clone())
    );
    prop_assert_eq!(exact::filter(&trie, bytes, &LIMITS), Ok(filtered.clone()));
    let had: Vec<&str> = filtered.paths.names(&trie).collect();
    let have: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| pruned(decoded, &[path]).encoded_len() > 0)
        .collect();
    prop_assert_eq!(had, have);
    Ok(filtered)
}

/// Whatever the bytes: no panic, only what is granted, and the oracle's answer where it has one.
fn withstands(bytes: &[u8], paths: &[&str]) -> Result<(), TestCaseError> {
    if let Some(decoded) = decode(bytes) {
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

fn tape() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

/// Few paths, many paths, all of them.
fn mask() -> impl Strategy<Value = u64> {
    (any::<u64>(), any::<u64>(), 0..3_usize).prop_map(|(a, b, how)| [a & b, a, a | b][how])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn does_as_the_oracle_with_any_valid_message(tape in tape(), mask in mask()) {
        let paths = choose(mask);
        let mut generator = Generator { tape: tape.iter(), paths: &paths };
        let bytes = generator.message(&everything(), "", 0);
        let decoded = decode(&bytes).expect("the generator makes valid messages");
        let filtered = agrees(&bytes, &decoded, &paths)?;
        prop_assert!(!filtered.bytes.windows(CANARY.len()).any(|window| window == CANARY));
        let canonical = agrees(&decoded.encode_to_vec(), &decoded, &paths)?;
        prop_assert_eq!(canonical, filtered);
    }

    #[test]
    fn withstands_mutations(
        tape in tape(),
        mask in mask(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 0..4),
    ) {
        let paths = choose(mask);
        let mut bytes = Generator { tape: tape.iter(), paths: &paths }.message(&everything(), "", 0);
        for (place, byte, change) in changes.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
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

fn run(paths: &[&str], bytes: &[u8]) -> Result<Vec<u8>, FilterError> {
    filter(
        &Trie::compile(&everything(), paths).unwrap(),
        bytes,
        &LIMITS,
    )
    .map(|filtered| filtered.bytes)
}

#[test]
fn cases_that_deserve_a_name() {
    let cases: [(&str, &[&str], &[u8], &[u8]); 16] = [
        ("granted", &["i32"], b"\x08\x05", b"\x08\x05"),
        ("not granted", &["i64"], b"\x08\x05", b""),
        ("default is absence", &["i32"], b"\x08\x00", b""),
        (
            "explicit default stays",
            &["maybe"],
            b"\xf0\x01\x00",
            b"\xf0\x01\x00",
        ),
        (
            "another wire type is unknown",
            &["i32"],
            b"\x0a\x01x\x08\x05\x0d\x01\x02\x03\x04",
            b"\x08\x05",
        ),
        ("last one wins", &["i32"], b"\x08\x05\x08\x06", b"\x08\x06"),
        (
            "messages merge",
            &["inner.name", "inner.count"],
            b"\x8a\x01\x03\x0a\x01n\x8a\x01\x02\x10\x07",
            b"\x8a\x01\x05\x0a\x01n\x10\x07",
        ),
        (
            "emptied message vanishes",
            &["inner.name"],
            b"\x8a\x01\x02\x10\x07",
            b"",
        ),
        (
            "empty message granted whole stays",
            &["inner"],
            b"\x8a\x01\x00",
            b"\x8a\x01\x00",
        ),
        (
            "emptied elements are not counted",
            &["inners.name"],
            b"\x92\x01\x02\x10\x07\x92\x01\x03\x0a\x01n\x92\x01\x00",
            b"\x92\x01\x03\x0a\x01n",
        ),
        (
            "undeclared member of a oneof clears the granted one",
            &["a"],
            b"\x82\x02\x01x\x88\x02\x07",
            b"",
        ),
        (
            "granted member after it stays",
            &["a"],
            b"\x88\x02\x07\x82\x02\x01x",
            b"\x82\x02\x01x",
        ),
        (
            "a oneof member set anew starts empty",
            &["a", "c"],
            b"\x92\x02\x03\x0a\x01n\x82\x02\x01x\x92\x02\x02\x10\x01",
            b"\x92\x02\x02\x10\x01",
        ),
        (
            "map by key, last of each",
            &["labels"],
            b"\xd2\x01\x06\x0a\x01b\x12\x01x\xd2\x01\x03\x0a\x01a\xd2\x01\x06\x0a\x01b\x12\x01y",
            b"\xd2\x01\x03\x0a\x01a\xd2\x01\x06\x0a\x01b\x12\x01y",
        ),
        (
            "emptied map value takes its key along",
            &["by_number.value.name"],
            b"\xda\x01\x06\x08\x01\x12\x02\x10\x07",
            b"",
        ),
        (
            "packed is unpacked as declared",
            &["loose"],
            b"\xa2\x01\x02\x01\x02",
            b"\xa0\x01\x01\xa0\x01\x02",
        ),
    ];
    for (name, paths, bytes, expected) in cases {
        assert_eq!(run(paths, bytes).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn what_no_message_is() {
    let cases: [(&[u8], FilterError); 12] = [
        (b"\x08", FilterError::Truncated),
        (b"\x08\x80", FilterError::Truncated),
        (b"\x72\x05abc", FilterError::Truncated),
        (b"\x45\x01\x02", FilterError::Truncated),
        (
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            FilterError::Varint,
        ),
        (
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            FilterError::Varint,
        ),
        (b"\x00\x01", FilterError::Tag),
        (b"\x0e", FilterError::Tag),
        (b"\x80\x80\x80\x80\x10\x01", FilterError::Tag),
        (b"\x0c", FilterError::Group),
        (b"\xe3\x07\xec\x07", FilterError::Group),
        (b"\x72\x02\xc3\x28", FilterError::Utf8),
    ];
    for (bytes, error) in cases {
        assert_eq!(run(&["i32", "text"], bytes), Err(error), "{bytes:x?}");
    }
    // What is not granted is skipped, not read.
    assert_eq!(
        run(&["i32"], b"\x72\x02\xc3\x28\x08\x01").as_deref(),
        Ok(&b"\x08\x01"[..])
    );
}

#[test]
fn limits_hold_on_both_sides_of_the_bound() {
    let trie = Trie::compile(&everything(), &["inner.deep.note", "loose"]).unwrap();
    let deep = b"\x8a\x01\x05\x1a\x03\x0a\x01n";
    let groups = [0xe3, 0x07, 0xe3, 0x07, 0xe4, 0x07, 0xe4, 0x07];
    let with = |limits: Limits, bytes: &[u8]| filter(&trie, bytes, &limits).map(drop);
    for bytes in [&deep[..], &groups] {
        assert_eq!(with(Limits { depth: 2, ..LIMITS }, bytes), Ok(()));
        assert_eq!(
            with(Limits { depth: 1, ..LIMITS }, bytes),
            Err(FilterError::TooDeep)
        );
        assert_eq!(with(Limits { bytes: 8, ..LIMITS }, bytes), Ok(()));
        assert_eq!(
            with(Limits { bytes: 7, ..LIMITS }, bytes),
            Err(FilterError::TooLarge)
        );
    }
    assert_eq!(
        with(
            Limits {
                fields: 3,
                ..LIMITS
            },
            deep
        ),
        Ok(())
    );
    assert_eq!(
        with(
            Limits {
                fields: 2,
                ..LIMITS
            },
            deep
        ),
        Err(FilterError::TooMany)
    );
    // Six bytes in, nine out.
    let run = b"\xa2\x01\x03\x01\x02\x03";
    assert_eq!(with(Limits { bytes: 9, ..LIMITS }, run), Ok(()));
    assert_eq!(
        with(Limits { bytes: 8, ..LIMITS }, run),
        Err(FilterError::TooLarge)
    );
}

#[test]
fn one_pass_is_enough_for_a_message_in_order() {
    let trie = Trie::compile(
        &everything(),
        &["i32", "inner", "inners.name", "ints", "a", "far"],
    )
    .unwrap();
    let message = b"\x08\x05\x72\x01t\x8a\x01\x03\x0a\x01n\x92\x01\x03\x0a\x01n\x92\x01\x02\x10\x01\x9a\x01\x02\x01\x02\x82\x02\x01x\xc2\xb8\x02\x01f";
    let once = fast::filter(&trie, message, &LIMITS)
        .unwrap()
        .expect("nothing unusual in it");
    assert_eq!(Ok(once), exact::filter(&trie, message, &LIMITS));
}

/// Each depth holds its child first and something out of order after it: whoever starts anew at each depth
/// doubles the work at each, and never ends.
#[test]
fn disorder_at_each_depth_costs_no_more_than_twice() {
    let path = "left.".repeat(60) + "label";
    let tree = crate::domain::grant::specimen::named("t.Tree");
    let trie = Trie::compile(&tree, &[path.as_str()]).unwrap();
    let mut bytes = b"\x0a\x01n".to_vec();
    for _ in 0..60 {
        let mut outer = vec![0x1a];
        super::wire::put_varint(&mut outer, bytes.len() as u64);
        outer.extend(bytes);
        outer.extend(b"\x1a\x00\x0a\x01n");
        bytes = outer;
    }
    let fields = 60 * 3 + 1;
    assert!(exact::filter(&trie, &bytes, &Limits { fields, ..LIMITS }).is_ok());
    let filtered = filter(&trie, &bytes, &Limits { fields, ..LIMITS }).unwrap();
    assert_eq!(filtered.paths.names(&trie).count(), 1);
}

#[test]
fn says_nothing_of_what_it_holds() {
    let filtered = filter(
        &Trie::compile(&everything(), &["text"]).unwrap(),
        b"\x72\x03abc",
        &LIMITS,
    )
    .unwrap();
    let said = format!("{filtered:?}");
    assert!(said.contains("len: 5") && !said.contains("97"), "{said}");
}
