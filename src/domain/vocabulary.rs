//! The one vocabulary: the methods that are exchanges, and what their descriptors say of each field.
//!
//! An instrument speaks in these words and cannot change them; it pins them by [`Method::descriptor_hash`].

mod error;
mod lint;
mod partner;
mod question;
mod rule;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;
use prost::encoding::{DecodeContext, decode_key, encode_key, encode_varint, skip_field};
use prost_reflect::{
    DescriptorPool, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use sha2::{Digest, Sha256};

pub use self::error::VocabularyError;
pub use self::lint::{Finding, lint};
pub use self::partner::{MAX_SET, PartnerError};
pub use self::rule::{Fact, FieldRule, Sensitivity, is_classified, rule, xml_value};
pub use self::xml::{XmlName, XmlPath};
use crate::proto::options;
/// A part of a question over MAGDA, the form of a value in it, and how a flag is written.
pub use crate::proto::options::{Element, Flag, Form};

/// Fields that lead from a message to one below it.
pub type Way = Vec<FieldDescriptor>;

/// Messages nested deeper than this are not searched.
const MAX_NESTING: usize = 24;
/// Ways below the messages of all exchanges of one set: messages that hold each other make them grow without end.
const MAX_WAYS: usize = 1 << 20;

/// The exchanges of the gateway's own descriptor set, and of its partners'.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    by_path: BTreeMap<Box<str>, Arc<Method>>,
    /// The gateway's own descriptors.
    own: DescriptorPool,
    /// One for each partner, with the name of its source: none sees the names of another.
    partners: Vec<(Box<str>, DescriptorPool)>,
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

impl Vocabulary {
    /// The vocabulary that this gateway was built with.
    pub fn embedded() -> Result<Self, VocabularyError> {
        Self::from_descriptor_set(include_bytes!(concat!(env!("OUT_DIR"), "/vocabulary.bin")))
    }

    /// The vocabulary of an encoded `google.protobuf.FileDescriptorSet`, imports included. Methods without
    /// `sluis.options.v1.method` are no exchanges and are left out.
    pub fn from_descriptor_set(set: &[u8]) -> Result<Self, VocabularyError> {
        let own = decode(set)?;
        let by_path = exchanges(&own)?.into_iter().map(|method| (method.path.clone(), method)).collect();
        Ok(Self { by_path, own, partners: Vec::new() })
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

    /// SHA-256 over all exchanges and the hashes of their descriptors: what is served, in one value.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for method in self.methods() {
            hash.update(Sha256::digest(method.path.as_bytes()));
            hash.update(method.descriptor_hash);
        }
        hash.finalize().into()
    }
}

fn decode(set: &[u8]) -> Result<DescriptorPool, VocabularyError> {
    DescriptorPool::decode(set).map_err(|error| VocabularyError::Unreadable(error.to_string().into()))
}

/// The exchanges of a pool.
fn exchanges(pool: &DescriptorPool) -> Result<Vec<Arc<Method>>, VocabularyError> {
    let mut left = MAX_WAYS;
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .filter_map(|method| Method::read(&method, &mut left).map(|found| found.map(Arc::new)).transpose())
        .collect()
}

impl Method {
    /// `left` is how many ways may still be searched.
    fn read(method: &MethodDescriptor, left: &mut usize) -> Result<Option<Self>, VocabularyError> {
        let name: Box<str> = method.full_name().into();
        let Some(said) = said(method)? else { return Ok(None) };
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
        let subject = one(&input, &name, left, |rule| rule.subject)?;
        let subject = subject.ok_or_else(|| VocabularyError::NoSubject(name.clone()))?;
        check_single(&subject, &name)?;
        if let Some(magda) = &said.magda {
            question::check(magda, (&input, &output), &name, left)?;
        }
        let parties = all(&output, &name, left, |rule| rule.party)?;
        check_parties(&parties, said.magda.is_some(), &name)?;
        let mut told = |fact| one(&output, &name, left, move |rule| rule.fact == Some(fact));
        let protected_address = told(Fact::ProtectedAddress)?;
        let protected_until = told(Fact::ProtectedAddressUntil)?;
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
            subject_returned: one(&output, &name, left, |rule| rule.subject)?,
            parties,
            unnamed: said.unnamed,
            protected_address,
            protected_until,
            status,
            magda: said.magda,
            descriptor_hash: descriptor_hash(&method.parent_file())?,
            name,
            input,
            output,
        }))
    }
}

/// What `sluis.options.v1.method` says of a method, where it stands.
fn said(method: &MethodDescriptor) -> Result<Option<options::Method>, VocabularyError> {
    match MethodOptions::decode(method.options().encode_to_vec().as_slice()) {
        Ok(options) => Ok(options.method),
        Err(_) => Err(VocabularyError::Options(method.full_name().into())),
    }
}

/// The way to the one field that fits, if any does.
fn one(
    message: &MessageDescriptor,
    method: &str,
    left: &mut usize,
    fits: impl Fn(&FieldRule) -> bool,
) -> Result<Option<Way>, VocabularyError> {
    let mut found = all(message, method, left, fits)?;
    match found.get(1).and_then(|way| way.last()) {
        Some(second) => Err(VocabularyError::Twice(method.into(), second.full_name().into())),
        None => Ok(found.pop()),
    }
}

/// The ways to all fields that fit.
fn all(
    message: &MessageDescriptor,
    method: &str,
    left: &mut usize,
    fits: impl Fn(&FieldRule) -> bool,
) -> Result<Vec<Way>, VocabularyError> {
    let mut found: Vec<Way> = Vec::new();
    let searched = search(message, &mut Vec::new(), &mut |way| {
        *left = left.checked_sub(1)?;
        if way.last().is_some_and(|field| fits(&rule(field))) {
            found.push(way.to_vec());
        }
        Some(())
    });
    searched.ok_or_else(|| VocabularyError::TooWide(method.into()))?;
    Ok(found)
}

/// Shows every way below a message, until one is one too many. A message within itself is not entered again.
fn search(
    message: &MessageDescriptor,
    way: &mut Way,
    visit: &mut impl FnMut(&[FieldDescriptor]) -> Option<()>,
) -> Option<()> {
    for field in message.fields() {
        way.push(field.clone());
        visit(way)?;
        if let Kind::Message(inner) = field.kind() {
            let recurs = way.iter().any(|outer| *outer.parent_message() == inner);
            if !recurs && way.len() < MAX_NESTING {
                search(&inner, way, visit)?;
            }
        }
        way.pop();
    }
    Some(())
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
