//! The one vocabulary: the methods that are exchanges, and what their descriptors say of each field.
//!
//! An instrument speaks in these words and cannot change them; it pins them by [`Method::descriptor_hash`].

mod question;
mod rule;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prost::Message;
use prost::encoding::{DecodeContext, decode_key, encode_key, encode_varint, skip_field};
use prost_reflect::{
    DescriptorPool, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use sha2::{Digest, Sha256};

pub use self::rule::{Fact, FieldRule, Sensitivity, rule, xml_value};
pub use self::xml::{XmlName, XmlPath};
use crate::proto::options;
/// A part of a question over MAGDA, the form of a value in it, and how a flag is written.
pub use crate::proto::options::{Element, Flag, Form};

/// Fields that lead from a message to one below it.
pub type Way = Vec<FieldDescriptor>;

/// Messages nested deeper than this are not searched.
const MAX_NESTING: usize = 24;

/// The exchanges of one descriptor set.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    by_path: BTreeMap<Box<str>, Arc<Method>>,
}

/// A method that is an exchange.
#[derive(Clone, Debug)]
pub struct Method {
    /// Its path on the gRPC wire ("/sluis.rijksregister.v1.PersonService/GetPerson").
    pub path: Box<str>,
    /// Its full name ("sluis.rijksregister.v1.PersonService.GetPerson").
    pub name: Box<str>,
    /// Name of its source in the configuration.
    pub source: Box<str>,
    /// What it does with the source's data.
    pub manner: Manner,
    /// The request.
    pub input: MessageDescriptor,
    /// The answer.
    pub output: MessageDescriptor,
    /// The way to the data subject's INSZ in the request: one string, nothing on the way repeated.
    pub subject: Way,
    /// The same, as an instrument writes it ("insz").
    pub subject_path: Box<str>,
    /// The way to the INSZ of whom the answer is about, where the answer tells.
    pub subject_returned: Option<Way>,
    /// The ways to the numbers of those among whom the data subject is to be found.
    pub parties: Vec<Way>,
    /// An answer that names nobody is taken to be about the person asked for.
    pub unnamed: bool,
    /// The way to what stands only where the address is protected, where the answer tells.
    pub protected_address: Option<Way>,
    /// The way to the last day of that protection, where the answer tells.
    pub protected_until: Option<Way>,
    /// The ways to what the source says of the whole answer.
    pub status: Vec<(Fact, Way)>,
    /// The question on MAGDA's wire, of a source that is asked over it.
    pub magda: Option<options::Magda>,
    /// SHA-256 of the encoded file descriptor set of the method's file and all that it imports, sorted by
    /// name, JSON names filled in, without source info.
    pub descriptor_hash: [u8; 32],
}

/// What an exchange does with the source's data (national register act, art. 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Data are read.
    Read,
    /// Data at the source are changed.
    Modify,
    /// The source sends data unasked.
    Push,
    /// A list is matched against the source.
    Match,
}

impl Manner {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Modify => "modify",
            Self::Push => "push",
            Self::Match => "match",
        }
    }
}

/// What is wrong with a descriptor set, and where. A method is named in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VocabularyError {
    /// Not a descriptor set, or one that lacks an import; with what the decoder says.
    Unreadable(Box<str>),
    /// The method's options cannot be read.
    Options(Box<str>),
    /// The method names no source.
    NoSource(Box<str>),
    /// The method has no manner, or one that this gateway does not know.
    NoManner(Box<str>),
    /// The method is a stream.
    Stream(Box<str>),
    /// No field of the request is the data subject.
    NoSubject(Box<str>),
    /// The data subject is not one string: holds method and field.
    SubjectNotOne(Box<str>, Box<str>),
    /// Two fields of one message tell the same: holds method and second field.
    Twice(Box<str>, Box<str>),
    /// A party is no text, or stands in an answer whose wire does not look for parties: holds method and field.
    Party(Box<str>, Box<str>),
    /// The question on MAGDA's wire names a field that is not there, or not of that form: holds method and field.
    ContentField(Box<str>, Box<str>),
    /// An element of the question has neither field nor value: holds method and element.
    ContentEmpty(Box<str>, Box<str>),
    /// An element of the question has more than one content: holds method and element.
    ContentTwice(Box<str>, Box<str>),
    /// An element of the question has no sound path: holds method and path.
    ContentPath(Box<str>, Box<str>),
}

impl fmt::Display for VocabularyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "not a complete descriptor set (include imports): {why}"),
            Self::Options(method) => write!(
                f,
                "{method}: its options cannot be read: compile them against sluis/options/v1/options.proto"
            ),
            Self::NoSource(method) => write!(f, "{method}: name the `source` in (sluis.options.v1.method)"),
            Self::NoManner(method) => write!(f, "{method}: give the `manner` in (sluis.options.v1.method)"),
            Self::Stream(method) => {
                write!(f, "{method}: streams are not served: make it one question, one answer")
            }
            Self::NoSubject(method) => {
                write!(f, "{method}: no field of the request is the data subject: mark one `subject: true`")
            }
            Self::SubjectNotOne(method, field) => write!(
                f,
                "{method}: {field} is marked `subject: true`, so it must be a string, and nothing on the way to it repeated"
            ),
            Self::Twice(method, field) => {
                write!(f, "{method}: {field} tells what another field already tells: unmark one of the two")
            }
            Self::Party(method, field) => {
                write!(f, "{method}: {field} is marked `party: true`, so it must be text that comes over MAGDA")
            }
            Self::ContentField(method, field) => write!(
                f,
                "{method}: the question names `{field}`, which is not there: a text needs a scalar of the request, a group a message"
            ),
            Self::ContentEmpty(method, path) => {
                write!(f, "{method}: element `{path}` of the question needs a `field`, a `value` or `elements`")
            }
            Self::ContentTwice(method, path) => write!(
                f,
                "{method}: element `{path}` of the question has two contents: a group has no `value`, a flag no `field`"
            ),
            Self::ContentPath(method, path) => {
                write!(f, "{method}: `{path}` of the question is no path of element names")
            }
        }
    }
}

impl std::error::Error for VocabularyError {}

impl Vocabulary {
    /// The vocabulary that this gateway was built with.
    pub fn embedded() -> Result<Self, VocabularyError> {
        Self::from_descriptor_set(include_bytes!(concat!(env!("OUT_DIR"), "/vocabulary.bin")))
    }

    /// The vocabulary of an encoded `google.protobuf.FileDescriptorSet`, imports included. Methods without
    /// `sluis.options.v1.method` are no exchanges and are left out.
    pub fn from_descriptor_set(set: &[u8]) -> Result<Self, VocabularyError> {
        let pool = DescriptorPool::decode(set)
            .map_err(|error| VocabularyError::Unreadable(error.to_string().into()))?;
        let mut by_path = BTreeMap::new();
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            if let Some(method) = Method::read(&method)? {
                by_path.insert(method.path.clone(), Arc::new(method));
            }
        }
        Ok(Self { by_path })
    }

    /// The exchange of that path on the gRPC wire.
    pub fn method(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// The exchange of that full name.
    pub fn method_by_name(&self, name: &str) -> Option<&Arc<Method>> {
        self.methods().find(|method| *method.name == *name)
    }

    /// All exchanges, in the order of their paths.
    pub fn methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.by_path.values()
    }
}

impl Method {
    fn read(method: &MethodDescriptor) -> Result<Option<Self>, VocabularyError> {
        let name: Box<str> = method.full_name().into();
        let options = MethodOptions::decode(method.options().encode_to_vec().as_slice())
            .map_err(|_| VocabularyError::Options(name.clone()))?;
        let Some(said) = options.method else { return Ok(None) };
        if method.is_client_streaming() || method.is_server_streaming() {
            return Err(VocabularyError::Stream(name));
        }
        let manner = match said.manner() {
            options::Manner::Unspecified => return Err(VocabularyError::NoManner(name)),
            options::Manner::Read => Manner::Read,
            options::Manner::Modify => Manner::Modify,
            options::Manner::Push => Manner::Push,
            options::Manner::Match => Manner::Match,
        };
        if said.source.is_empty() {
            return Err(VocabularyError::NoSource(name));
        }
        let (input, output) = (method.input(), method.output());
        let subject = one(&input, &name, |rule| rule.subject)?;
        let subject = subject.ok_or_else(|| VocabularyError::NoSubject(name.clone()))?;
        check_single(&subject, &name)?;
        if let Some(magda) = &said.magda {
            question::check(magda, (&input, &output), &name)?;
        }
        let parties = all(&output, |rule| rule.party);
        check_parties(&parties, said.magda.is_some(), &name)?;
        let told = |fact| one(&output, &name, move |rule| rule.fact == Some(fact));
        let mut status = Vec::new();
        for fact in Fact::OF_STATUS {
            status.extend(told(fact)?.map(|way| (fact, way)));
        }
        Ok(Some(Self {
            path: format!("/{}/{}", method.parent_service().full_name(), method.name()).into(),
            source: said.source.into(),
            manner,
            subject_path: subject.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".").into(),
            subject,
            subject_returned: one(&output, &name, |rule| rule.subject)?,
            parties,
            unnamed: said.unnamed,
            protected_address: told(Fact::ProtectedAddress)?,
            protected_until: told(Fact::ProtectedAddressUntil)?,
            status,
            magda: said.magda,
            descriptor_hash: descriptor_hash(&method.parent_file())?,
            name,
            input,
            output,
        }))
    }
}

/// The way to the one field that fits, if any does.
fn one(
    message: &MessageDescriptor,
    method: &str,
    fits: impl Fn(&FieldRule) -> bool,
) -> Result<Option<Way>, VocabularyError> {
    let mut found = all(message, fits);
    match found.get(1).and_then(|way| way.last()) {
        Some(second) => Err(VocabularyError::Twice(method.into(), second.full_name().into())),
        None => Ok(found.pop()),
    }
}

/// The ways to all fields that fit.
fn all(message: &MessageDescriptor, fits: impl Fn(&FieldRule) -> bool) -> Vec<Way> {
    let mut found: Vec<Way> = Vec::new();
    search(message, &mut Vec::new(), &mut |way| {
        if way.last().is_some_and(|field| fits(&rule(field))) {
            found.push(way.to_vec());
        }
    });
    found
}

/// Shows every way below a message. A message within itself is not entered again.
fn search(message: &MessageDescriptor, way: &mut Way, visit: &mut impl FnMut(&[FieldDescriptor])) {
    for field in message.fields() {
        way.push(field.clone());
        visit(way);
        if let Kind::Message(inner) = field.kind() {
            let recurs = way.iter().any(|outer| *outer.parent_message() == inner);
            if !recurs && way.len() < MAX_NESTING {
                search(&inner, way, visit);
            }
        }
        way.pop();
    }
}

fn check_single(subject: &Way, method: &str) -> Result<(), VocabularyError> {
    let text = subject.last().is_some_and(|field| field.kind() == Kind::String);
    match subject.iter().find(|field| field.is_list() || field.is_map()).or(subject.last().filter(|_| !text)) {
        Some(field) => Err(VocabularyError::SubjectNotOne(method.into(), field.full_name().into())),
        None => Ok(()),
    }
}

/// Only the reader of XML holds parties against the number asked for.
fn check_parties(parties: &[Way], magda: bool, method: &str) -> Result<(), VocabularyError> {
    let mut last = parties.iter().filter_map(|way| way.last());
    match last.find(|field| !magda || field.kind() != Kind::String) {
        Some(field) => Err(VocabularyError::Party(method.into(), field.full_name().into())),
        None => Ok(()),
    }
}

fn descriptor_hash(file: &FileDescriptor) -> Result<[u8; 32], VocabularyError> {
    let mut files = BTreeMap::new();
    let mut open = vec![file.clone()];
    while let Some(file) = open.pop() {
        if files.insert(file.name().to_owned(), file.encode_to_vec()).is_none() {
            open.extend(file.dependencies());
        }
    }
    let mut set = Vec::new();
    for encoded in files.values() {
        let file = without_source_info(encoded)
            .map_err(|error| VocabularyError::Unreadable(error.to_string().into()))?;
        encode_key(1, prost::encoding::WireType::LengthDelimited, &mut set);
        encode_varint(file.len() as u64, &mut set);
        set.extend_from_slice(&file);
    }
    Ok(Sha256::digest(&set).into())
}

/// An encoded `FileDescriptorProto` without its field 9.
fn without_source_info(file: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    let (mut rest, mut kept) = (file, Vec::with_capacity(file.len()));
    while !rest.is_empty() {
        let before = rest;
        let (tag, wire) = decode_key(&mut rest)?;
        skip_field(wire, tag, &mut rest, DecodeContext::default())?;
        if tag != 9 {
            kept.extend(before.iter().take(before.len() - rest.len()));
        }
    }
    Ok(kept)
}

/// The part of `google.protobuf.MethodOptions` that this gateway reads.
#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    #[prost(message, optional, tag = "50501")]
    method: Option<options::Method>,
}
