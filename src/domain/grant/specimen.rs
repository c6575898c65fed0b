//! Descriptors for tests: every kind of field that protobuf has.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::OnceLock;

use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FieldOptions, FileDescriptorProto, MessageOptions, OneofDescriptorProto,
    descriptor_proto::ExtensionRange,
};
use prost_reflect::{DescriptorPool, MessageDescriptor};

const EVERYTHING: &[&str] = &[
    "int32 i32 = 1",
    "int64 i64 = 2",
    "uint32 u32 = 3",
    "uint64 u64 = 4",
    "sint32 s32 = 5",
    "sint64 s64 = 6",
    "bool flag = 7",
    "fixed32 f32 = 8",
    "fixed64 f64 = 9",
    "sfixed32 sf32 = 10",
    "sfixed64 sf64 = 11",
    "float float = 12",
    "double double = 13",
    "string text = 14",
    "bytes blob = 15",
    "Colour colour = 16",
    "Inner inner = 17",
    "repeated Inner inners = 18",
    "repeated int32 ints = 19",
    "repeated unpacked int32 loose = 20",
    "repeated string texts = 21",
    "repeated double doubles = 22",
    "repeated Colour colours = 23",
    "repeated bool flags = 24",
    "repeated unpacked sint64 loose_sints = 25",
    "map string string labels = 26",
    "map int32 Inner by_number = 27",
    "map bool Colour by_flag = 28",
    "map fixed64 double by_fixed = 29",
    "optional int32 maybe = 30",
    "optional string maybe_text = 31",
    "oneof string a = 32",
    "oneof int32 b = 33",
    "oneof Inner c = 34",
    "oneof Any d = 35",
    "Any any = 36",
    "map string Any anys = 37",
    "Legacy legacy = 38",
    "Tree tree = 39",
    "Empty nothing = 40",
    "repeated Empty nothings = 41",
    "repeated Any many = 42",
    "repeated unpacked fixed32 loose_fixed = 43",
    "string far = 5000",
];
const INNER: &[&str] = &[
    "string name = 1",
    "int32 count = 2",
    "Deep deep = 3",
    "repeated Deep list = 4",
    "oneof string x = 5",
    "oneof Deep y = 6",
];
const DEEP: &[&str] = &[
    "string note = 1",
    "bool set = 2",
    "repeated int32 ns = 3",
    "Empty mark = 4",
    "Any more = 5",
];
const TREE: &[&str] = &[
    "string label = 1",
    "repeated Tree branches = 2",
    "Tree left = 3",
];
const LEGACY: &[&str] = &[
    "int32 number = 1",
    "Shade shade = 2",
    "repeated int32 list = 3",
    "repeated packed int32 run = 4",
    "group Old old = 5",
    "repeated group Old olds = 6",
    "map int32 Shade shades = 7",
    "map string int32 counts = 8",
    "oneof string p = 9",
    "oneof group Old q = 10",
    "required string must = 11",
    "Inner inner = 12",
];

/// `t.Everything`, of proto3; it holds `t.Legacy`, of proto2.
pub(crate) fn everything() -> MessageDescriptor {
    named("t.Everything")
}

pub(crate) fn named(name: &str) -> MessageDescriptor {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(pool).get_message_by_name(name).unwrap()
}

fn pool() -> DescriptorPool {
    let any = file("google/protobuf/any.proto", "google.protobuf", "proto3");
    let any = FileDescriptorProto {
        message_type: vec![message("Any", &["string type_url = 1", "bytes value = 2"])],
        ..any
    };
    let mut legacy = message("Legacy", LEGACY);
    legacy.extension_range = vec![ExtensionRange {
        start: Some(100),
        end: Some(200),
        options: None,
    }];
    let extension = FieldDescriptorProto {
        extendee: Some(".t.Legacy".into()),
        ..field("string extra = 100")
    };
    let old = FileDescriptorProto {
        dependency: vec!["new.proto".into()],
        message_type: vec![legacy, message("Old", &["string t = 1", "Inner inner = 2"])],
        enum_type: vec![enumeration("Shade", &[5, 0, -1])],
        extension: vec![FieldDescriptorProto {
            label: Some(Label::Optional.into()),
            ..extension
        }],
        ..file("old.proto", "t", "proto2")
    };
    let new = FileDescriptorProto {
        dependency: vec!["google/protobuf/any.proto".into()],
        message_type: vec![
            message("Inner", INNER),
            message("Deep", DEEP),
            message("Tree", TREE),
            message("Empty", &[]),
        ],
        enum_type: vec![enumeration("Colour", &[0, 1, -2])],
        ..file("new.proto", "t", "proto3")
    };
    let everything = FileDescriptorProto {
        dependency: vec![
            "old.proto".into(),
            "new.proto".into(),
            "google/protobuf/any.proto".into(),
        ],
        message_type: vec![message("Everything", EVERYTHING)],
        ..file("everything.proto", "t", "proto3")
    };
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos([any, new, old, everything])
        .unwrap();
    pool
}

fn file(name: &str, package: &str, syntax: &str) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.into()),
        package: Some(package.into()),
        syntax: Some(syntax.into()),
        ..FileDescriptorProto::default()
    }
}

/// A message from lines of `[repeated | packed | …] type name = number`; members of a `oneof` share one.
pub(crate) fn message(name: &str, lines: &[&str]) -> DescriptorProto {
    let mut message = DescriptorProto {
        name: Some(name.into()),
        ..DescriptorProto::default()
    };
    for line in lines {
        let mut declared = field(line);
        if line.starts_with("map ") {
            let entry = entry(line);
            declared.type_name = Some(format!(".t.{name}.{}", entry.name()));
            message.nested_type.push(entry);
        }
        if line.starts_with("oneof ") {
            declared.oneof_index = Some(0);
            if message.oneof_decl.is_empty() {
                message.oneof_decl.push(OneofDescriptorProto {
                    name: Some("choice".into()),
                    options: None,
                });
            }
        }
        message.field.push(declared);
    }
    // Synthetic ones come after the real.
    for declared in message
        .field
        .iter_mut()
        .filter(|field| field.proto3_optional())
    {
        declared.oneof_index = i32::try_from(message.oneof_decl.len()).ok();
        message.oneof_decl.push(OneofDescriptorProto {
            name: Some(format!("_{}", declared.name())),
            options: None,
        });
    }
    message
}

fn entry(line: &str) -> DescriptorProto {
    let words: Vec<&str> = line.split(' ').collect();
    let [_, key, value, name, ..] = words[..] else {
        panic!("{line}")
    };
    let name: String = name
        .split('_')
        .map(|part| part[..1].to_uppercase() + &part[1..])
        .collect();
    DescriptorProto {
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..message(
            &format!("{name}Entry"),
            &[&format!("{key} key = 1"), &format!("{value} value = 2")],
        )
    }
}

fn field(line: &str) -> FieldDescriptorProto {
    let words: Vec<&str> = line.split(' ').collect();
    let [modifiers @ .., kind, name, "=", number] = &words[..] else {
        panic!("{line}")
    };
    let has = |word: &str| modifiers.contains(&word);
    let (kind, type_name) = match Type::from_str_name(&format!("TYPE_{}", kind.to_uppercase())) {
        _ if has("map") => (Type::Message, None),
        _ if has("group") => (Type::Group, Some(format!(".t.{kind}"))),
        Some(kind) => (kind, None),
        None if *kind == "Any" => (Type::Message, Some(".google.protobuf.Any".into())),
        None if matches!(*kind, "Colour" | "Shade") => (Type::Enum, Some(format!(".t.{kind}"))),
        None => (Type::Message, Some(format!(".t.{kind}"))),
    };
    let label = match () {
        () if has("repeated") || has("map") => Label::Repeated,
        () if has("required") => Label::Required,
        () => Label::Optional,
    };
    let packed = if has("packed") {
        Some(true)
    } else {
        has("unpacked").then_some(false)
    };
    FieldDescriptorProto {
        name: Some((*name).into()),
        number: number.parse().ok(),
        label: Some(label.into()),
        r#type: Some(kind.into()),
        type_name,
        proto3_optional: has("optional").then_some(true),
        options: packed.map(|packed| FieldOptions {
            packed: Some(packed),
            ..FieldOptions::default()
        }),
        ..FieldDescriptorProto::default()
    }
}

fn enumeration(name: &str, numbers: &[i32]) -> EnumDescriptorProto {
    let value = |number: &i32| EnumValueDescriptorProto {
        name: Some(format!(
            "{}_{}",
            name.to_uppercase(),
            number.to_string().replace('-', "MINUS_")
        )),
        number: Some(*number),
        options: None,
    };
    EnumDescriptorProto {
        name: Some(name.into()),
        value: numbers.iter().map(value).collect(),
        ..EnumDescriptorProto::default()
    }
}
