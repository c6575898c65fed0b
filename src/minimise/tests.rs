//! The filter, case by case.
#![allow(clippy::unwrap_used)]

use super::{FilterError, Limits, exact, fast, filter};
use crate::domain::grant::Trie;
use crate::domain::grant::specimen::{everything, named};

const LIMITS: Limits = Limits {
    depth: 64,
    bytes: 1 << 20,
    fields: 1 << 16,
};

fn run(paths: &[&str], bytes: &[u8]) -> Result<Vec<u8>, FilterError> {
    filter(
        &Trie::compile(&everything(), paths).unwrap(),
        bytes,
        &LIMITS,
    )
    .map(|filtered| filtered.bytes)
}

/// Name, granted paths, what comes in, what goes out.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [u8],
    &'static [u8],
);

#[test]
fn cases_that_deserve_a_name() {
    let cases: [Case; 16] = [
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
    let trie = Trie::compile(&named("t.Tree"), &[path.as_str()]).unwrap();
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
