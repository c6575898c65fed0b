//! Descriptor sets written by hand, option by option, to see each refused for the right reason.

use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};

use super::*;

#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    message: Vec<MessageType>,
    #[prost(message, repeated, tag = "6")]
    service: Vec<Service>,
    #[prost(message, optional, tag = "9")]
    source_info: Option<prost_reflect::prost_types::SourceCodeInfo>,
    #[prost(string, tag = "12")]
    syntax: String,
}

/// A `DescriptorProto`.
#[derive(Clone, PartialEq, Message)]
struct MessageType {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    field: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(enumeration = "Label", tag = "4")]
    label: i32,
    #[prost(enumeration = "Type", tag = "5")]
    kind: i32,
    #[prost(string, optional, tag = "6")]
    type_name: Option<String>,
    #[prost(message, optional, tag = "8")]
    options: Option<FieldOptions>,
    #[prost(string, tag = "10")]
    json_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct FieldOptions {
    #[prost(message, optional, tag = "50501")]
    field: Option<options::Field>,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<Rpc>,
}

#[derive(Clone, PartialEq, Message)]
struct Rpc {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    input: String,
    #[prost(string, tag = "3")]
    output: String,
    #[prost(message, optional, tag = "4")]
    options: Option<MethodOptions>,
    #[prost(bool, tag = "6")]
    server_streaming: bool,
}

fn field(name: &str, number: i32, said: options::Field) -> Field {
    Field {
        name: name.into(),
        number,
        label: Label::Optional.into(),
        kind: Type::String.into(),
        type_name: None,
        options: Some(FieldOptions { field: Some(said) }),
        json_name: name.into(),
    }
}

fn message_field(name: &str, number: i32, of: &str) -> Field {
    let kind = Type::Message.into();
    Field { kind, type_name: Some(format!(".t.{of}")), ..field(name, number, options::Field::default()) }
}

fn subject() -> options::Field {
    options::Field { subject: true, ..options::Field::default() }
}

fn party() -> options::Field {
    options::Field { party: true, ..options::Field::default() }
}

/// One sound method `t.S.M`: a request, and an answer that holds a person who holds persons.
fn sound() -> File {
    let person = vec![field("insz", 1, subject()), message_field("parent", 2, "Person")];
    let message = |name: &str, field| MessageType { name: name.into(), field };
    File {
        name: "t.proto".into(),
        package: "t".into(),
        syntax: "proto3".into(),
        source_info: None,
        message: vec![
            message("Ask", vec![field("insz", 1, subject())]),
            message("Answer", vec![message_field("person", 1, "Person")]),
            message("Person", person),
        ],
        service: vec![Service {
            name: "S".into(),
            method: vec![Rpc {
                name: "M".into(),
                input: ".t.Ask".into(),
                output: ".t.Answer".into(),
                server_streaming: false,
                options: Some(MethodOptions { method: Some(exchange()) }),
            }],
        }],
    }
}

fn exchange() -> options::Method {
    let element = Element { path: "INSZ".into(), field: "insz".into(), ..Element::default() };
    let magda = options::Magda { content: vec![element], ..options::Magda::default() };
    let manner = options::Manner::Read.into();
    options::Method { source: "s".into(), manner, magda: Some(magda), unnamed: false }
}

fn load(file: File) -> Result<Vocabulary, VocabularyError> {
    Vocabulary::from_descriptor_set(&Set { file: vec![file] }.encode_to_vec())
}

fn changed(change: impl FnOnce(&mut File)) -> File {
    let mut file = sound();
    change(&mut file);
    file
}

fn said(file: &mut File) -> &mut options::Method {
    file.service[0].method[0].options.as_mut().unwrap().method.as_mut().unwrap()
}

fn element(file: &mut File) -> &mut Element {
    &mut said(file).magda.as_mut().unwrap().content[0]
}

#[test]
fn a_sound_set_is_read() {
    let vocabulary = load(sound()).unwrap();
    let method = vocabulary.method("/t.S/M").unwrap();
    assert_eq!((&*method.name, &*method.source, method.manner), ("t.S.M", "s", Manner::Read));
    assert_eq!(&*method.subject_path, "insz");
    let returned: Vec<_> =
        method.subject_returned.as_ref().unwrap().iter().map(FieldDescriptor::name).collect();
    assert_eq!(returned, ["person", "insz"]);
    assert!(method.protected_address.is_none() && method.protected_until.is_none());
    assert_eq!(vocabulary.method_by_name("t.S.M").unwrap().path, method.path);
    assert!(vocabulary.method("/t.S/N").is_none());
}

#[test]
fn each_fault_is_named() {
    let (m, f) = (|| Box::from("t.S.M"), |name: &str| Box::from(name));
    let cases: Vec<(File, VocabularyError)> = vec![
        (changed(|x| said(x).source.clear()), VocabularyError::NoSource(m())),
        (changed(|x| said(x).manner = 0), VocabularyError::NoManner(m())),
        (changed(|x| said(x).manner = 99), VocabularyError::NoManner(m())),
        (changed(|x| x.service[0].method[0].server_streaming = true), VocabularyError::Stream(m())),
        (changed(|x| x.message[0].field[0].options = None), VocabularyError::NoSubject(m())),
        (
            changed(|x| x.message[0].field[0].label = Label::Repeated.into()),
            VocabularyError::SubjectNotOne(m(), f("t.Ask.insz")),
        ),
        (
            changed(|x| x.message[0].field[0].kind = Type::Uint64.into()),
            VocabularyError::SubjectNotOne(m(), f("t.Ask.insz")),
        ),
        (
            changed(|x| x.message[0].field.push(field("other", 2, subject()))),
            VocabularyError::Twice(m(), f("t.Ask.other")),
        ),
        (
            changed(|x| x.message[2].field.push(field("other", 3, subject()))),
            VocabularyError::Twice(m(), f("t.Person.other")),
        ),
        (changed(|x| element(x).field = "x".into()), VocabularyError::ContentField(m(), f("x"))),
        (changed(|x| element(x).field.clear()), VocabularyError::ContentEmpty(m(), f("INSZ"))),
        (changed(|x| element(x).path = "@INSZ".into()), VocabularyError::ContentPath(m(), f("@INSZ"))),
        (changed(|x| element(x).path = "INSZ/".into()), VocabularyError::ContentPath(m(), f("INSZ/"))),
        (
            changed(|x| said(x).magda.as_mut().unwrap().container = "Vraag/Inhoud".into()),
            VocabularyError::ContentPath(m(), f("Vraag/Inhoud")),
        ),
        (
            changed(|x| element(x).opened_by = vec!["person.age".into()]),
            VocabularyError::ContentField(m(), f("person.age")),
        ),
        (
            changed(|x| element(x).opened_by = vec!["*.insz".into()]),
            VocabularyError::ContentTwice(m(), f("INSZ")),
        ),
        (
            changed(|x| element(x).elements = vec![element(x).clone()]),
            VocabularyError::ContentField(m(), f("insz")),
        ),
        (
            changed(|x| {
                element(x).elements = vec![element(x).clone()];
                element(x).value = "x".into();
            }),
            VocabularyError::ContentTwice(m(), f("INSZ")),
        ),
        (
            changed(|x| {
                said(x).magda = None;
                x.message[2].field.push(field("other", 3, party()));
            }),
            VocabularyError::Party(m(), f("t.Person.other")),
        ),
        (
            changed(|x| {
                x.message[2].field.push(Field { kind: Type::Uint64.into(), ..field("other", 3, party()) });
            }),
            VocabularyError::Party(m(), f("t.Person.other")),
        ),
    ];
    for (file, fault) in cases {
        let error = load(file).unwrap_err();
        assert_eq!(error, fault);
        assert!(error.to_string().starts_with("t.S.M: "), "{error}");
    }
}

#[test]
fn a_method_that_says_nothing_is_no_exchange() {
    let silent = load(changed(|file| file.service[0].method[0].options = None)).unwrap();
    assert_eq!(silent.methods().count(), 0);
}

#[test]
fn what_is_no_descriptor_set_is_refused() {
    for bytes in [&b"\xff"[..], b"\x0a\x05t.pro"] {
        assert!(matches!(Vocabulary::from_descriptor_set(bytes), Err(VocabularyError::Unreadable(_))));
    }
}

#[test]
fn the_hash_pins_numbers_and_labels_but_not_comments() {
    let hash = |file| load(file).unwrap().method("/t.S/M").unwrap().descriptor_hash;
    let commented = changed(|file| {
        let location = prost_reflect::prost_types::source_code_info::Location {
            path: vec![4, 0],
            span: vec![0, 0, 1],
            leading_comments: Some("A question.".into()),
            ..Default::default()
        };
        file.source_info = Some(prost_reflect::prost_types::SourceCodeInfo { location: vec![location] });
    });
    assert_eq!(hash(sound()), hash(commented));
    let set = Set { file: vec![sound()] }.encode_to_vec();
    assert_eq!(hash(sound()), <[u8; 32]>::from(Sha256::digest(set)));
    assert_ne!(hash(sound()), hash(changed(|file| file.message[2].field[1].number = 9)));
    assert_ne!(hash(sound()), hash(changed(|file| file.message[2].field[0].options = None)));
    assert_ne!(hash(sound()), hash(changed(|file| said(file).source = "other".into())));
}
