//! Sets that a partner might send, compiled here and now, and what becomes of them.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::*;
use crate::domain::grant::Trie;

const OURS: &str = include_str!("../../../../proto/sluis/options/v1/options.proto");

/// A service that nobody has thought of.
pub const PERMITS: &str = r#"
syntax = "proto3";
package acme.permits.v1;
import "sluis/options/v1/options.proto";
import "google/protobuf/timestamp.proto";
service Permits {
  rpc Get(Ask) returns (Answer) {
    option (sluis.options.v1.method) = {source: "acme" manner: MANNER_READ};
  }
}
message Ask { string insz = 1 [(sluis.options.v1.field).subject = true]; }
message Answer {
  string insz = 1 [(sluis.options.v1.field).subject = true];
  string plate = 2;
  google.protobuf.Timestamp until = 3;
}
"#;

/// Files by name, in place of a folder.
struct Texts(Vec<(&'static str, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found
            .map_or_else(|| Err(protox::Error::file_not_found(name)), |(_, text)| File::from_source(name, text))
    }
}

/// The encoded set of `file`, with imports; `others` may stand in for anything.
pub fn set(file: &str, others: &[(&'static str, &str)]) -> Vec<u8> {
    let mut texts: Vec<_> = others.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    texts.push(("acme/permits.proto", file.to_owned()));
    texts.push((OPTIONS, OURS.to_owned()));
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(texts));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file(PathBuf::from("acme/permits.proto")).unwrap();
    compiler.encode_file_descriptor_set()
}

fn own() -> Vocabulary {
    static OWN: LazyLock<Vocabulary> = LazyLock::new(|| Vocabulary::embedded().unwrap());
    OWN.clone()
}

fn with(set: &[u8]) -> Result<Vocabulary, PartnerError> {
    own().with("acme", set)
}

fn refused(set: &[u8]) -> PartnerError {
    with(set).expect_err("refused")
}

#[test]
fn a_partners_set_stands_beside_the_gateways_own() {
    let own = own();
    let both = with(&set(PERMITS, &[])).unwrap();
    assert_eq!(both.methods().count(), own.methods().count() + 1);
    assert_ne!(own.hash(), both.hash());
    assert_eq!(both.pools().count(), 2);
    let method = both.method("/acme.permits.v1.Permits/Get").unwrap();
    assert_eq!((&*method.source, &*method.subject_path), ("acme", "insz"));
    for method in own.methods() {
        assert_eq!(method.descriptor_hash, both.method(&method.path).unwrap().descriptor_hash);
    }
}

#[test]
fn what_everybody_shares_is_the_gateways_own_copy() {
    let hash = |set: &[u8]| with(set).unwrap().method("/acme.permits.v1.Permits/Get").unwrap().descriptor_hash;
    let whole = set(PERMITS, &[]);
    // Another compiler's descriptor.proto has grown; an older gateway's options had less.
    let grown = changed(&whole, "google/protobuf/descriptor.proto", |file| {
        let message = file.message_type.iter_mut().find(|message| message.name() == "FieldOptions").unwrap();
        message.field.push(FieldDescriptorProto { number: Some(777), ..message.field[0].clone() });
        message.field.last_mut().unwrap().name = Some("of_tomorrow".into());
        // And Google's own renumbering, between two releases.
        let features = file.message_type.iter_mut().find(|message| message.name() == "FeatureSet").unwrap();
        features.enum_type[0]
            .value
            .iter_mut()
            .for_each(|value| value.number = value.number.map(|number| number + 7));
    });
    let older = changed(&whole, OPTIONS, |file| {
        file.message_type.iter_mut().for_each(|message| drop(message.field.pop()));
    });
    assert_eq!((hash(&grown), hash(&older)), (hash(&whole), hash(&whole)));
    let renumbered = set(&PERMITS.replace("plate = 2", "plate = 4"), &[]);
    let relabelled =
        set(&PERMITS.replace("plate = 2", "plate = 2 [(sluis.options.v1.field).history = true]"), &[]);
    assert_ne!(hash(&renumbered), hash(&whole));
    assert_ne!(hash(&relabelled), hash(&whole));
}

/// The set with one file changed; its options are lost, which do not matter in the shared files.
fn changed(whole: &[u8], name: &str, change: impl FnOnce(&mut FileDescriptorProto)) -> Vec<u8> {
    let mut set = Set::decode(whole).unwrap();
    let of_name = |file: &&mut Bytes| FileDescriptorProto::decode((**file).clone()).unwrap().name() == name;
    let place = set.file.iter_mut().find(of_name).unwrap();
    let mut file = FileDescriptorProto::decode(place.clone()).unwrap();
    change(&mut file);
    *place = file.encode_to_vec().into();
    set.encode_to_vec()
}

#[test]
fn a_partner_cannot_speak_for_the_gateway() {
    let of_package =
        |package: &str| set(&PERMITS.replace("package acme.permits.v1", &format!("package {package}")), &[]);
    for package in ["sluis", "sluis.permits.v1", "sluis.options.v1", "sluis.audit.v1", "grpc.health.v1"] {
        let reserved = PartnerError::Reserved("acme/permits.proto".into(), package.into());
        assert_eq!(refused(&of_package(package)), reserved);
    }
    assert!(with(&of_package("sluisen.v1")).is_ok(), "a name that only begins alike is nobody's");
    let google = set(&PERMITS.replace("package acme.permits.v1", "package google.protobuf"), &[]);
    assert!(matches!(refused(&google), PartnerError::Reserved(..)));
}

#[test]
fn a_partner_cannot_redefine_an_option() {
    for (from, to, what) in [
        ("bool third_person = 3;", "bool third_person = 33;", "Field.third_person"),
        ("bool third_person = 3;", "string third_person = 3;", "Field.third_person"),
        ("bool third_person = 3;", "repeated bool third_person = 3;", "Field.third_person"),
        ("bool history = 4;", "bool past = 4;", "Field.past"),
        ("SENSITIVITY_PHOTO = 6;", "SENSITIVITY_PICTURE = 6;", "Sensitivity.SENSITIVITY_PICTURE"),
        ("SENSITIVITY_PHOTO = 6;", "SENSITIVITY_PHOTO = 8;", "Sensitivity.SENSITIVITY_PHOTO"),
        ("Fact fact = 8;", "Fact fact = 8; bool closed = 99;", "Field.closed"),
        ("Field field = 50501;", "Field field = 50502;", "FieldOptions.field"),
    ] {
        assert!(OURS.contains(from), "{from}");
        let error = refused(&set(PERMITS, &[(OPTIONS, &OURS.replace(from, to))]));
        let PartnerError::Redefined(file, said) = &error else { panic!("{to}: {error}") };
        assert_eq!(&**file, OPTIONS);
        assert!(said.ends_with(what), "{to}: {said}");
    }
    let time = "syntax = \"proto3\"; package google.protobuf; message Timestamp { int64 seconds = 2; int32 nanos = 1; }";
    let error = refused(&set(PERMITS, &[("google/protobuf/timestamp.proto", time)]));
    assert!(matches!(error, PartnerError::Redefined(file, _) if &*file == "google/protobuf/timestamp.proto"));
}

#[test]
fn no_field_of_a_partner_stands_in_the_place_of_an_option() {
    let beside = "syntax = \"proto3\"; package acme.permits.v1; import \"google/protobuf/descriptor.proto\";
        extend google.protobuf.FieldOptions { string label = 50501; }";
    let alone = set(beside, &[]);
    assert!(matches!(refused(&alone), PartnerError::OptionsPlace(..)));
    // Sets that were compiled apart and laid one after the other, which is how such sets merge.
    let beside = set(&beside.replace("acme.permits.v1", "acme.other.v1"), &[]);
    let mut merged = Set::decode(&*set(PERMITS, &[])).unwrap();
    let other = Set::decode(&*beside).unwrap().file.pop().unwrap();
    let mut other = FileDescriptorProto::decode(other).unwrap();
    other.name = Some("acme/other.proto".into());
    merged.file.push(other.encode_to_vec().into());
    let error = refused(&merged.encode_to_vec());
    assert!(
        matches!(
            error,
            PartnerError::OptionsPlace(..) | PartnerError::Vocabulary(VocabularyError::Unreadable(_))
        ),
        "{error}"
    );
    let harmless = "syntax = \"proto3\"; package acme.permits.v1; import \"google/protobuf/descriptor.proto\";
        extend google.protobuf.FieldOptions { string label = 50777; }";
    assert_eq!(refused(&set(harmless, &[])), PartnerError::Nothing);
}

#[test]
fn a_partner_serves_its_own_source_and_no_path_of_another() {
    let other = refused(&set(&PERMITS.replace("\"acme\"", "\"rijksregister\""), &[]));
    assert_eq!(other, PartnerError::OtherSource("acme.permits.v1.Permits.Get".into(), "rijksregister".into()));
    assert!(other.to_string().contains("rijksregister"), "{other}");

    let housing = PERMITS
        .replace("package acme.permits.v1", "package sandbox.housing.v1")
        .replace("service Permits", "service HousingService")
        .replace("rpc Get(", "rpc GetHousingFile(");
    let error = refused(&set(&housing, &[])).to_string();
    assert!(error.starts_with("sandbox.housing.v1.HousingService.GetHousingFile: "), "{error}");
    assert!(error.contains("the gateway's own vocabulary (source \"housing\")"), "{error}");

    let twice = with(&set(PERMITS, &[])).unwrap();
    let again = set(&PERMITS.replace("\"acme\"", "\"other\""), &[]);
    let error = twice.with("other", &again).err().unwrap().to_string();
    assert!(
        error.contains("acme.permits.v1.Permits.Get") && error.contains("the set of source \"acme\""),
        "{error}"
    );
}

#[test]
fn what_is_no_set_or_says_nothing_is_refused() {
    let whole = set(PERMITS, &[]);
    assert_eq!(refused(b"\xff"), PartnerError::NotASet);
    assert_eq!(refused(b"\x0a\x01\xff"), PartnerError::NotASet);
    assert_eq!(refused(b""), PartnerError::Nothing);
    assert_eq!(refused(&vec![0; MAX_SET + 1]), PartnerError::TooLarge(MAX_SET + 1));
    let twice = [whole.clone(), whole.clone()].concat();
    assert!(matches!(refused(&twice), PartnerError::FileTwice(_)));
    let silent =
        PERMITS.replace("option (sluis.options.v1.method) = {source: \"acme\" manner: MANNER_READ};", "");
    assert_eq!(refused(&set(&silent, &[])), PartnerError::Nothing);
    let unmarked = PERMITS.replace(
        "Ask { string insz = 1 [(sluis.options.v1.field).subject = true]; }",
        "Ask { string insz = 1; }",
    );
    assert!(matches!(refused(&set(&unmarked, &[])), PartnerError::Vocabulary(VocabularyError::NoSubject(_))));
    // Without the file that it imports.
    let mut sparse = Set::decode(&*whole).unwrap();
    sparse
        .file
        .retain(|file| !FileDescriptorProto::decode(file.clone()).unwrap().name().ends_with("timestamp.proto"));
    assert!(matches!(
        refused(&sparse.encode_to_vec()),
        PartnerError::Vocabulary(VocabularyError::Unreadable(_))
    ));
}

#[test]
fn messages_that_hold_each_other_are_searched_so_far_and_no_further() {
    use std::fmt::Write as _;
    let mut wide = PERMITS.replace("string plate = 2;", "M0 m = 2;");
    for level in 0..20 {
        writeln!(wide, "message M{level} {{ M{next} a = 1; M{next} b = 2; M{next} c = 3; }}", next = level + 1)
            .unwrap();
    }
    wide.push_str("message M20 { string text = 1; }");
    let error = refused(&set(&wide, &[]));
    assert!(matches!(error, PartnerError::Vocabulary(VocabularyError::TooWide(_))), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Sets with some bytes replaced, dropped or doubled: taken or refused, and never a panic.
    #[test]
    fn withstands_sets_that_were_tampered_with(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0_u8..4, any::<u8>()), 1..6)
    ) {
        static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let own = Set::decode(&*set(PERMITS, &[])).unwrap();
            let theirs = |file: &&Bytes| FileDescriptorProto::decode((**file).clone()).unwrap().name() == "acme/permits.proto";
            let file = own.file.iter().filter(theirs).cloned().collect();
            Set { file }.encode_to_vec()
        });
        let mut set = WHOLE.clone();
        for (at, kind, byte) in edits {
            let at = at.index(set.len());
            match kind {
                0 => set[at] = byte,
                1 => set[at] ^= 1 << (byte % 8),
                2 => drop(set.remove(at)),
                _ => set.insert(at, byte),
            }
        }
        let shared = with_shared(&set);
        for set in [set, shared] {
            let _ = with(&set);
            let _ = super::super::lint(&own(), None, &set);
        }
    }
}

/// With the files that a set imports laid beside it.
fn with_shared(theirs: &[u8]) -> Vec<u8> {
    static SHARED: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut own = Set::decode(&*set(PERMITS, &[])).unwrap();
        own.file
            .retain(|file| FileDescriptorProto::decode(file.clone()).unwrap().name() != "acme/permits.proto");
        own.encode_to_vec()
    });
    [SHARED.as_slice(), theirs].concat()
}

const HOSTILE: &str = r#"
syntax = "proto3";
package acme.hostile.v1;
message Hostile {
  map<string, string> m = 1;
  Kind k = 2;
  oneof o { string a = 3; string b = 4; }
  repeated string t = 5;
  message Inner { string x = 1; }
  Inner i = 6;
}
enum Kind { ZERO = 0; }
"#;

#[test]
fn descriptors_that_no_compiler_makes_are_refused_or_harmless() {
    type Change = fn(&mut DescriptorProto);
    let changes: &[(&str, Change)] = &[
        ("a map without a key", |message| drop(message.nested_type[0].field.remove(0))),
        ("a map without a value", |message| drop(message.nested_type[0].field.pop())),
        ("a map of nothing", |message| message.nested_type[0].field.clear()),
        ("a key that is a message", |message| {
            let key = &mut message.nested_type[0].field[0];
            key.r#type = Some(11);
            key.type_name = Some(".acme.hostile.v1.Hostile".into());
        }),
        ("a key that repeats", |message| message.nested_type[0].field[0].label = Some(3)),
        ("a map that does not repeat", |message| message.field[0].label = Some(1)),
        ("a map entry as a message", |message| {
            let options = message.nested_type[1].options.get_or_insert_default();
            options.map_entry = Some(true);
        }),
        ("a oneof that is not there", |message| message.field[2].oneof_index = Some(9)),
        ("a oneof before the first", |message| message.field[2].oneof_index = Some(-1)),
        ("a oneof that repeats", |message| message.field[2].label = Some(3)),
        ("no oneof of its fields", |message| message.oneof_decl.clear()),
        ("number 0", |message| message.field[4].number = Some(0)),
        ("number -1", |message| message.field[4].number = Some(-1)),
        ("a number too large", |message| message.field[4].number = Some(i32::MAX)),
        ("a number twice", |message| message.field[4].number = Some(1)),
        ("a name twice", |message| message.field[4].name = Some("m".into())),
        ("no name", |message| message.field[4].name = None),
        ("no type", |message| message.field[4].r#type = None),
        ("a type of its own", |message| message.field[4].r#type = Some(77)),
        ("a group", |message| message.field[5].r#type = Some(10)),
        ("an enum that is a message", |message| message.field[5].r#type = Some(14)),
        ("a message that is an enum", |message| message.field[1].r#type = Some(11)),
        ("a default that is none", |message| message.field[1].default_value = Some("NONE".into())),
        ("itself", |message| message.field[5].type_name = Some(".acme.hostile.v1.Hostile".into())),
        ("packed text", |message| message.field[4].options.get_or_insert_default().packed = Some(true)),
        ("a presence that proto3 has not", |message| message.field[4].proto3_optional = Some(true)),
    ];
    let text = PERMITS
        .replace("package acme.permits.v1;", "package acme.permits.v1; import \"acme/hostile.proto\";")
        .replace("string plate = 2;", "acme.hostile.v1.Hostile h = 2;");
    let whole = set(&text, &[("acme/hostile.proto", HOSTILE)]);
    // Every field that HOSTILE has, twice, and then bytes that fit none.
    let message = b"\x12\x2a\x0a\x06\x0a\x01k\x12\x01v\x0a\x03\x12\x01v\x10\x01\x1a\x01a\x22\x01b\x2a\x01t\x2a\x00\x32\x03\x0a\x01x\x33\x34\xfa\x01\x00\x08\x05";
    for (what, change) in changes {
        let set = changed(&whole, "acme/hostile.proto", |file| change(&mut file.message_type[0]));
        let _ = super::super::lint(&own(), None, &set);
        let Ok(vocabulary) = with(&set) else { continue };
        let output = &vocabulary.method("/acme.permits.v1.Permits/Get").unwrap().output;
        for path in ["h", "h.m", "h.m.value", "h.k", "h.a", "h.i", "h.t", "h.i.x"] {
            if let Ok(trie) = Trie::compile(output, &[path]) {
                assert!(trie.leaves().count() > 0, "{what}: {path}");
            }
        }
        let _ = prost_reflect::DynamicMessage::decode(output.clone(), &message[..]);
    }
    let mut empty = changed(&whole, "acme/hostile.proto", |file| file.enum_type[0].value.clear());
    let _ = with(&empty);
    empty = changed(&whole, "acme/hostile.proto", |file| file.dependency.push("acme/hostile.proto".into()));
    let _ = with(&empty);
    let circle =
        changed(&whole, "acme/hostile.proto", |file| file.dependency.push("acme/permits.proto".into()));
    let _ = with(&circle);
}
