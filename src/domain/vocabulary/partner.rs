//! A partner's descriptor set, beside the gateway's own. It speaks of that partner's source and of nothing else: it
//! serves no path that another serves, and what the gateway's own files mean it cannot change.
//!
//! Of the files that everybody shares (`sluis.options.v1`, `google.protobuf`) a set may hold its own copy. That is held
//! against the gateway's, and then the gateway's is used: so an option means one thing, whatever a partner compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use prost_reflect::{
    DescriptorPool, ExtensionDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
};

use super::{Method, Vocabulary, VocabularyError, decode, exchanges};

/// Bytes of a partner's set.
pub const MAX_SET: usize = 8 << 20;

/// The file of the options, the one of `sluis.*` that a set may hold.
const OPTIONS: &str = "sluis/options/v1/options.proto";
/// The number of every option of the gateway's, whatever it extends.
const OPTION: u32 = 50501;
/// Of `descriptor.proto`: the features of editions, which Google still renumbers, and nothing here reads.
const UNSETTLED: &str = "google.protobuf.FeatureSet";
/// Where an option stands.
const EXTENDED: [&str; 3] =
    ["google.protobuf.MethodOptions", "google.protobuf.FieldOptions", "google.protobuf.EnumValueOptions"];

/// What is wrong with a partner's descriptor set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartnerError {
    /// More bytes than are read: holds how many.
    TooLarge(usize),
    /// Not an encoded `google.protobuf.FileDescriptorSet`.
    NotASet,
    /// Two files of the set have this name.
    FileTwice(Box<str>),
    /// A file in a package that is the gateway's own: holds file and package.
    Reserved(Box<str>, Box<str>),
    /// A shared file that means something else than the gateway's: holds file and what differs.
    Redefined(Box<str>, Box<str>),
    /// A field that stands in an option's place: holds file and field.
    OptionsPlace(Box<str>, Box<str>),
    /// The set itself, or one of its methods.
    Vocabulary(VocabularyError),
    /// A method of another source: holds method and the source that it names.
    OtherSource(Box<str>, Box<str>),
    /// A method that is served already: holds method, and by whom.
    Served(Box<str>, Box<str>),
    /// No method is an exchange.
    Nothing,
    /// Something that no compiler makes: holds what.
    Unsound(Box<str>),
}

impl fmt::Display for PartnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(
                f,
                "{bytes} bytes, more than {MAX_SET}: build the set without source info, of the files that are needed"
            ),
            Self::NotASet => f.write_str(
                "not an encoded google.protobuf.FileDescriptorSet: write it with `buf build -o FILE.binpb`, or with \
                 `protoc --include_imports --descriptor_set_out=FILE.binpb`",
            ),
            Self::FileTwice(file) => {
                write!(f, "{file} stands in the set twice: only one of them could hold")
            }
            Self::Reserved(file, package) => {
                write!(f, "{file}: package {package} is the gateway's own: give yours a name of its own")
            }
            Self::Redefined(file, what) => write!(
                f,
                "{file}: {what} is another one than in this gateway: compile against the gateway's own file, unchanged"
            ),
            Self::OptionsPlace(file, field) => write!(
                f,
                "{file}: {field} has number {OPTION}, which is the place of the options of {OPTIONS}: give it another number"
            ),
            Self::Vocabulary(error) => error.fmt(f),
            Self::OtherSource(method, says) => write!(
                f,
                "{method}: its `source` is \"{says}\": write the name of the source whose set this is, or serve it from \
                 the set of \"{says}\""
            ),
            Self::Served(method, by) => {
                write!(f, "{method}: it is served already, by {by}: take it out of one of the two")
            }
            Self::Unsound(what) => write!(f, "{what}, which no compiler makes: build the set anew from its .proto files"),
            Self::Nothing => f.write_str(
                "no method has the option (sluis.options.v1.method), so that nothing of it would be served: annotate one",
            ),
        }
    }
}

impl std::error::Error for PartnerError {}

impl From<VocabularyError> for PartnerError {
    fn from(error: VocabularyError) -> Self {
        Self::Vocabulary(error)
    }
}

/// An encoded set, its files left as they are: options that nobody knows would not outlive being decoded.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

impl Vocabulary {
    /// The same, and the exchanges of the set of source `source`, an encoded `google.protobuf.FileDescriptorSet` with
    /// imports.
    ///
    /// # Errors
    /// Where the set cannot be read, changes what is not its own, or claims what another serves.
    pub fn with(mut self, source: &str, set: &[u8]) -> Result<Self, PartnerError> {
        let (pool, methods) = unshaken(|| {
            let pool = pool(&self.own, set)?;
            let methods = exchanges(&pool)?;
            Ok((pool, methods))
        })?;
        if methods.is_empty() {
            return Err(PartnerError::Nothing);
        }
        for method in methods {
            self.may_serve(source, &method)?;
            self.by_path.insert(method.path.clone(), Arc::clone(&method));
        }
        self.partners.push((source.into(), pool));
        Ok(self)
    }

    /// Whether the set of `source` may serve a method: it is that source's, and nobody's yet.
    pub(super) fn may_serve(&self, source: &str, method: &Method) -> Result<(), PartnerError> {
        if *method.source != *source {
            return Err(PartnerError::OtherSource(method.name.clone(), method.source.clone()));
        }
        let Some(other) = self.by_path.get(&method.path) else { return Ok(()) };
        let by = if *other.input.parent_pool() == self.own {
            format!("the gateway's own vocabulary (source \"{}\")", other.source)
        } else {
            format!("the set of source \"{}\"", other.source)
        };
        Err(PartnerError::Served(method.name.clone(), by.into()))
    }

    /// The descriptors: the gateway's own first, then each partner's.
    pub fn pools(&self) -> impl Iterator<Item = &DescriptorPool> {
        std::iter::once(&self.own).chain(self.partners.iter().map(|(_, pool)| pool))
    }
}

/// Reads what a partner wrote. The library that reads descriptors takes them for a compiler's, and panics on some that are
/// none: that must not be the end of a gateway that others rely on.
pub(super) fn unshaken<T>(read: impl FnOnce() -> Result<T, PartnerError>) -> Result<T, PartnerError> {
    let unsound = || Err(PartnerError::Unsound("descriptors that contradict themselves".into()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| unsound())
}

/// The pool of a partner's set, with the gateway's own copies of what everybody shares.
pub(super) fn pool(own: &DescriptorPool, set: &[u8]) -> Result<DescriptorPool, PartnerError> {
    if set.len() > MAX_SET {
        return Err(PartnerError::TooLarge(set.len()));
    }
    let theirs = Set::decode(set).map_err(|_| PartnerError::NotASet)?;
    let mut names: BTreeSet<Box<str>> = BTreeSet::new();
    let mut kept = Vec::with_capacity(theirs.file.len());
    let mut shared = Vec::new();
    for encoded in theirs.file {
        let file = FileDescriptorProto::decode(encoded.clone()).map_err(|_| PartnerError::NotASet)?;
        if !names.insert(file.name().into()) {
            return Err(PartnerError::FileTwice(file.name().into()));
        }
        match of_all(own, &file)? {
            Some(ours) => shared.push(ours),
            None => kept.push(encoded),
        }
    }
    let mut file = with_imports(shared);
    file.extend(kept);
    let pool = decode(&Set { file }.encode_to_vec())?;
    leaves_options_alone(&pool)?;
    maps_are_maps(&pool)?;
    Ok(pool)
}

/// The gateway's own copy of a shared file, if it is one, and means the same.
fn of_all(own: &DescriptorPool, file: &FileDescriptorProto) -> Result<Option<FileDescriptor>, PartnerError> {
    let (name, package) = (file.name(), file.package());
    let within = |root| is_within(package, root);
    let googles = within("google.protobuf") || name.starts_with("google/protobuf/");
    if !googles && name != OPTIONS {
        // gRPC's own services (health, reflection) are the gateway's to answer.
        let reserved = within("sluis") || within("grpc");
        return if reserved { Err(PartnerError::Reserved(name.into(), package.into())) } else { Ok(None) };
    }
    let ours = own.get_file_by_name(name).or_else(|| DescriptorPool::global().get_file_by_name(name));
    let Some(ours) = ours else { return Err(PartnerError::Reserved(name.into(), package.into())) };
    // Google's grow with each release of its compiler; what the gateway does not know of them it does not serve. An
    // option that it does not know might be one that closes.
    match differs(file, ours.file_descriptor_proto(), googles) {
        Some(what) => Err(PartnerError::Redefined(name.into(), what.into())),
        None => Ok(Some(ours)),
    }
}

/// Whether a name is `root`, or stands within it.
fn is_within(name: &str, root: &str) -> bool {
    name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// No field of a partner's own stands where the gateway reads an option: what such bytes mean would depend on who reads.
fn leaves_options_alone(pool: &DescriptorPool) -> Result<(), PartnerError> {
    let in_place = |field: &ExtensionDescriptor| {
        field.number() == OPTION
            && EXTENDED.contains(&field.containing_message().full_name())
            && field.parent_file().name() != OPTIONS
    };
    match pool.all_extensions().find(in_place) {
        Some(field) => {
            Err(PartnerError::OptionsPlace(field.parent_file().name().into(), field.full_name().into()))
        }
        None => Ok(()),
    }
}

/// An entry of a map has a key and a value and stands in a list: who walks a map relies on it, long after the set was read.
fn maps_are_maps(pool: &DescriptorPool) -> Result<(), PartnerError> {
    let sound = |message: &MessageDescriptor| {
        let scalar =
            |key: &FieldDescriptor| !key.is_list() && !matches!(key.kind(), Kind::Message(_) | Kind::Enum(_));
        let key = message.get_field(1).is_some_and(|key| scalar(&key));
        let value = message.get_field(2).is_some_and(|value| !value.is_list() && !value.is_group());
        key && value && message.fields().count() == 2
    };
    for message in pool.all_messages() {
        let alone = |field: &FieldDescriptor| {
            matches!(field.kind(), Kind::Message(inner) if inner.is_map_entry()) && !field.is_map()
        };
        if message.is_map_entry() && !sound(&message) || message.fields().any(|field| alone(&field)) {
            return Err(PartnerError::Unsound(
                format!("{} holds or is a map that is none", message.full_name()).into(),
            ));
        }
    }
    Ok(())
}

/// Encoded files with all that they import, each once.
fn with_imports(mut left: Vec<FileDescriptor>) -> Vec<Bytes> {
    let mut found = BTreeMap::new();
    while let Some(file) = left.pop() {
        if !found.contains_key(file.name()) {
            left.extend(file.dependencies());
            found.insert(file.name().to_owned(), file.encode_to_vec().into());
        }
    }
    found.into_values().collect()
}

/// The first thing that `theirs` says otherwise than `ours`. What only `theirs` has is other, too, unless it may be
/// `newer`.
fn differs(theirs: &FileDescriptorProto, ours: &FileDescriptorProto, newer: bool) -> Option<String> {
    if theirs.package() != ours.package() {
        return Some(format!("package {}", theirs.package()));
    }
    if let Some(service) = theirs.service.first() {
        return Some(format!("service {}", service.name()));
    }
    let (theirs, ours) = (Meanings::of(theirs), Meanings::of(ours));
    let unknown = |what: &String| (!newer).then(|| what.clone());
    for (place, said) in theirs.fields.iter().filter(|(place, _)| !is_within(&place.0, UNSETTLED)) {
        let same_name = || ours.fields.iter().any(|((scope, _), other)| *scope == place.0 && other.0 == said.0);
        match ours.fields.get(place) {
            Some(other) if other == said => {}
            None if !same_name() => {
                if let Some(what) = unknown(&format!("{}.{}", place.0, said.0)) {
                    return Some(what);
                }
            }
            _ => return Some(format!("{}.{}", place.0, said.0)),
        }
    }
    theirs.types.difference(&ours.types).find_map(unknown)
}

/// What a file means: its types, and of each field or value, by where it stands and its number, what it is.
#[derive(Default)]
struct Meanings {
    types: BTreeSet<String>,
    fields: BTreeMap<(String, i32), Said>,
}

/// Name, label, type, name of the type, extended message.
type Said = (String, i32, i32, String, String);

impl Meanings {
    fn of(file: &FileDescriptorProto) -> Self {
        let mut meanings = Self::default();
        meanings.extensions(file.package(), &file.extension);
        file.enum_type.iter().for_each(|one| meanings.values(file.package(), one));
        let package = file.package().to_owned();
        let mut left: Vec<(String, &DescriptorProto)> =
            file.message_type.iter().map(|message| (package.clone(), message)).collect();
        while let Some((scope, message)) = left.pop() {
            let name = format!("{scope}.{}", message.name());
            message.field.iter().for_each(|field| meanings.field(&name, field));
            meanings.extensions(&name, &message.extension);
            message.enum_type.iter().for_each(|one| meanings.values(&name, one));
            left.extend(message.nested_type.iter().map(|inner| (name.clone(), inner)));
            meanings.types.insert(name);
        }
        meanings
    }

    fn field(&mut self, scope: &str, field: &FieldDescriptorProto) {
        let said = (
            field.name().to_owned(),
            field.label.unwrap_or_default(),
            field.r#type.unwrap_or_default(),
            field.type_name().to_owned(),
            field.extendee().to_owned(),
        );
        self.fields.insert((scope.to_owned(), field.number()), said);
    }

    /// Extensions of different messages may share a number, so that each has a place of its own.
    fn extensions(&mut self, scope: &str, extensions: &[FieldDescriptorProto]) {
        for field in extensions {
            self.field(&format!("{scope} extends {}", field.extendee()), field);
        }
    }

    fn values(&mut self, scope: &str, one: &EnumDescriptorProto) {
        let name = format!("{scope}.{}", one.name());
        for value in &one.value {
            let said = (value.name().to_owned(), 0, 0, String::new(), String::new());
            self.fields.insert((name.clone(), value.number()), said);
        }
        self.types.insert(name);
    }
}

#[cfg(test)]
pub(super) mod tests;
