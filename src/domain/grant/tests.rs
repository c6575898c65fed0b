#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::specimen::{everything, named};
use super::{Arity, Kind, PathError, PathIndex, PathSet, Trie};

fn compile(paths: &[&str]) -> Result<Trie, PathError> {
    Trie::compile(&everything(), paths)
}

fn leaves(trie: &Trie) -> Vec<(String, usize)> {
    let dotted = |leaf: super::Leaf| {
        let names: Vec<_> = leaf.way.iter().map(|field| field.name().to_owned()).collect();
        (names.join("."), leaf.path.get())
    };
    trie.leaves().map(dotted).collect()
}

#[test]
fn what_cannot_be_granted_is_said() {
    let cases: [(&[&str], &str); 21] = [
        (&[""], "\"\" holds an empty name"),
        (&["inner."], "\"inner.\" holds an empty name"),
        (&["inner..name"], "\"inner..name\" holds an empty name"),
        (&["tekst"], "\"tekst\": t.Everything has no such field; nearest: \"text\""),
        (&["inner.nam"], "\"inner.nam\": t.Inner has no such field; nearest: \"name\""),
        (&["inner.nothing_like_it"], "\"inner.nothing_like_it\": t.Inner has no such field"),
        (&["i32", "i32"], "\"i32\" is declared twice"),
        (&["inner", "inner.name"], "\"inner.name\" and \"inner\" open the same field: keep one"),
        (&["inner.deep.note", "inner"], "\"inner\" and \"inner.deep.note\" open the same field: keep one"),
        (&["text.length"], "\"text.length\": nothing stands below \"text\""),
        (&["labels.value.x"], "\"labels.value.x\": nothing stands below \"value\""),
        (
            &["labels.key"],
            "\"labels.key\": a key is opened with its values: name the map, or a field of its values",
        ),
        (&["any"], "\"any\": google.protobuf.Any is opaque and cannot be granted"),
        (&["many"], "\"many\": google.protobuf.Any is opaque and cannot be granted"),
        (&["anys"], "\"anys\": google.protobuf.Any is opaque and cannot be granted"),
        (&["any.value"], "\"any.value\": google.protobuf.Any is opaque and cannot be granted"),
        (&["inner.deep.more"], "\"inner.deep.more\": google.protobuf.Any is opaque and cannot be granted"),
        (&["legacy.old"], "\"legacy.old\": a group cannot be granted"),
        (&["legacy.olds.inner"], "\"legacy.olds.inner\": a group cannot be granted"),
        (&["tree"], "\"tree\": t.Tree holds itself and cannot be granted whole: name its fields"),
        (
            &["tree.branches"],
            "\"tree.branches\": t.Tree holds itself and cannot be granted whole: name its fields",
        ),
    ];
    for (paths, expected) in cases {
        assert_eq!(compile(paths).unwrap_err().to_string(), expected);
    }
    let deep = format!("tree.{}label", "left.".repeat(63));
    assert!(matches!(compile(&[deep.as_str()]), Err(PathError::TooLarge { .. })));
    assert!(compile(&[&deep[5..]]).is_err(), "of another message");
    assert!(Trie::compile(&named("t.Tree"), &[&deep[5..]]).is_ok());
    assert!(compile(&[]).unwrap().is_empty());
}

#[test]
fn every_place_that_is_opened_can_be_judged() {
    let trie = compile(&["inner.deep", "far", "by_number.value.name", "nothing"]).unwrap();
    let expected = [
        ("inner.deep.note", 0),
        ("inner.deep.set", 0),
        ("inner.deep.ns", 0),
        // Opened for their presence alone; the Any beside it is not opened at all.
        ("inner.deep.mark", 0),
        ("by_number.key", 2),
        ("by_number.value.name", 2),
        ("nothing", 3),
        ("far", 1),
    ];
    assert_eq!(leaves(&trie), expected.map(|(leaf, path)| (leaf.to_owned(), path)));
    assert_eq!(trie.leaves().map(|leaf| trie.path(leaf.path).to_owned()).last().unwrap(), "far");
}

#[test]
fn groups_any_and_extensions_below_a_granted_message_stay_closed() {
    let trie = compile(&["legacy"]).unwrap();
    let opened: Vec<String> = leaves(&trie).into_iter().map(|(leaf, _)| leaf).collect();
    assert!(opened.contains(&"legacy.p".to_owned()) && opened.contains(&"legacy.inner.deep.note".to_owned()));
    assert!(!opened.iter().any(|leaf| leaf.contains("old") || leaf.contains('q') || leaf.contains("more")));
    assert!(trie.root().field(38).unwrap().child().unwrap().field(100).is_none());
}

#[test]
fn walks_as_the_descriptors_do() {
    let trie = compile(&["inner.name", "ints", "far", "a"]).unwrap();
    let inner = trie.root().field(17).unwrap();
    assert_eq!((inner.number(), inner.kind(), inner.arity()), (17, Kind::Message, Arity::Explicit));
    assert!(!inner.is_whole() && inner.descriptor().name() == "inner");
    let name = inner.child().unwrap().field(1).unwrap();
    assert!(name.is_whole() && name.child().is_none() && name.kind() == Kind::String);
    assert_eq!(trie.path(name.path()), "inner.name");
    assert_eq!(trie.root().field(19).map(super::Field::arity), Some(Arity::Packed));
    assert!(trie.root().field(5000).is_some());
    for closed in [0, 1, 16, 18, 33, 44, 511, 512, 4999, 5001, u32::MAX] {
        assert!(trie.root().field(closed).is_none(), "{closed}");
    }
    // Sibling in a oneof: no field of the grant, but known to clear one.
    assert!(trie.root().member(33).is_some_and(|field| !field.is_granted()));
    assert!(trie.root().member(1).is_none());
    let numbers: Vec<u32> = trie.root().fields().map(super::Field::number).collect();
    assert_eq!(numbers, [17, 19, 32, 5000]);
}

#[test]
fn covers_what_is_granted_to_the_last_field() {
    let trie = compile(&["inner", "by_number.value.name", "tree.label", "inners.name"]).unwrap();
    for path in ["inner", "inner.name", "inner.deep.mark", "by_number.value.name", "tree.label", "inners.name"]
    {
        assert!(trie.covers(path), "{path}");
    }
    for path in [
        "",
        "i32",
        "by_number",
        "by_number.value",
        "tree",
        "inners",
        "inners.",
        "inner.deep.more",
        "inner.nam",
        "x.y",
    ] {
        assert!(!trie.covers(path), "{path}");
    }
    assert_eq!(trie.opener("inner.deep.note").map(|path| trie.path(path)), Some("inner"));
}

#[test]
fn narrows_to_what_the_caller_asks() {
    let trie = compile(&["inner", "text"]).unwrap();
    let narrowed = trie.narrow(&["text", "inner.deep.ns", "inner.deep", "text"]).unwrap();
    assert_eq!(*narrowed.paths(), ["text".into(), "inner.deep".into()]);
    assert!(narrowed.covers("inner.deep.note") && !narrowed.covers("inner.name"));
    let refused = |path: &str| trie.narrow(&["text", path]).unwrap_err();
    assert_eq!(refused("i32"), PathError::NotCovered { path: "i32".into() });
    assert!(matches!(refused("txt"), PathError::Unknown { .. }));
    assert!(matches!(refused("inner.deep.more"), PathError::Opaque { .. }));
    // Nobody gets back what was withheld.
    let withheld = trie.without(|field| field.name() == "note");
    assert_eq!(withheld.narrow(&["inner"]).unwrap_err(), PathError::NotCovered { path: "inner".into() });
    assert!(withheld.narrow(&["inner.name", "inner.deep.ns"]).is_ok());
}

#[test]
fn what_is_withheld_leaves_no_trace() {
    let trie = compile(&["text", "inner", "by_number", "c.deep.note"]).unwrap();
    let withheld = trie.without(|field| field.name() == "note");
    assert_eq!(withheld.paths(), trie.paths());
    assert!(!withheld.covers("inner.deep") && !withheld.covers("inner") && withheld.covers("inner.deep.ns"));
    assert!(!withheld.covers("by_number.value.deep") && withheld.covers("by_number.value.name"));
    assert_eq!(withheld.opener("inner.name").map(PathIndex::get), Some(1));
    // Nothing is left of it: not even the way.
    assert!(withheld.root().field(34).is_none() && trie.root().field(34).is_some());
    assert!(trie.without(|field| field.name() == "value").root().field(27).is_none());
    assert!(trie.without(|field| field.name() == "key").root().field(27).is_none());
    assert_eq!(leaves(&trie.without(|_| false)), leaves(&trie));
    assert!(trie.without(|_| true).is_empty());
}

#[test]
fn sets_of_paths_know_more_than_a_word() {
    let paths: Vec<String> = (0..32).map(|depth| "left.".repeat(depth) + "label").collect();
    let trie = Trie::compile(&named("t.Tree"), &paths).unwrap();
    let mut set = PathSet::default();
    assert!(set.is_empty());
    for path in [0, 31, 63, 64, 200] {
        set.insert(PathIndex(path));
    }
    assert!([0, 31, 63, 64, 200].into_iter().all(|path| set.contains(PathIndex(path))));
    assert!([1, 62, 65, 199, 201, 9000].into_iter().all(|path| !set.contains(PathIndex(path))));
    assert_eq!(set.names(&trie).collect::<Vec<_>>(), [&*paths[0], &*paths[31]]);
    let mut high = PathSet::default();
    high.insert(PathIndex(64));
    assert!(!high.is_empty());
}

#[test]
fn can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Trie>();
}

#[test]
fn of_a_path_as_much_is_known_as_names_fields() {
    for (path, known) in [
        ("inner.name", "inner.name"),
        ("inner.deep.more.of.it", "inner.deep.more"),
        ("by_number.value.name", "by_number.value.name"),
        ("inner.Jan_Janssens", "inner"),
        ("text.below", "text"),
        ("Jan.Janssens", ""),
        ("", ""),
    ] {
        assert_eq!(super::known_part(&everything(), path), known, "{path}");
    }
}
