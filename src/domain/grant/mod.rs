//! What an instrument opens of a message: field paths, compiled to a trie over field numbers.
//!
//! A path is relative to a message: field names joined by dots (`person.name.last_names`).
//! A path to a scalar opens it. A path to a message opens all that its descriptor declares below,
//! and its presence; not groups, extensions or `google.protobuf.Any`, whose content no
//! instrument can know. Below a map comes `value`; the key is opened with it.
//!
//! The world is closed: what no path opens has no place in the trie.

mod compile;
mod narrow;
mod path;
#[cfg(test)]
pub(crate) mod specimen;
#[cfg(test)]
mod tests;

use std::fmt;

use prost_reflect::{Cardinality, FieldDescriptor, Kind as Declared, MessageDescriptor};

pub use narrow::known_part;
pub use path::{PathError, PathIndex, PathSet};

/// A set of declared paths, compiled against the descriptor of a message. Immutable.
#[derive(Clone)]
pub struct Trie {
    message: MessageDescriptor,
    paths: Box<[Box<str>]>,
    /// The root first.
    nodes: Box<[Fields]>,
}

/// The fields of one message on the way.
#[derive(Clone)]
struct Fields {
    /// By number.
    specs: Box<[Spec]>,
    /// Place in `specs` plus one, for the low numbers.
    low: Box<[u16]>,
}

#[derive(Clone)]
struct Spec {
    number: u32,
    kind: Kind,
    arity: Arity,
    opening: Opening,
    oneof: Option<u16>,
    path: PathIndex,
    child: Option<u32>,
    absent: u64,
    descriptor: FieldDescriptor,
}

/// How far a field is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// Not at all; known because it clears its siblings in a `oneof`.
    Closed,
    /// Some fields below it.
    Part,
    /// Itself, its presence included, and all below.
    Whole,
}

/// What a value is on protobuf's own wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // protobuf's own names; Fixed32 and Fixed64 are their signed twins too
pub enum Kind {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Bool,
    Enum,
    Fixed32,
    Fixed64,
    Float,
    Double,
    String,
    Bytes,
    Message,
    Group,
}

impl Kind {
    /// The kind of a field; of a map, [`Kind::Message`].
    pub fn of(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Declared::Int32 => Self::Int32,
            Declared::Int64 => Self::Int64,
            Declared::Uint32 => Self::Uint32,
            Declared::Uint64 => Self::Uint64,
            Declared::Sint32 => Self::Sint32,
            Declared::Sint64 => Self::Sint64,
            Declared::Bool => Self::Bool,
            Declared::Enum(_) => Self::Enum,
            Declared::Fixed32 | Declared::Sfixed32 => Self::Fixed32,
            Declared::Fixed64 | Declared::Sfixed64 => Self::Fixed64,
            Declared::Float => Self::Float,
            Declared::Double => Self::Double,
            Declared::String => Self::String,
            Declared::Bytes => Self::Bytes,
            Declared::Message(_) if field.is_group() => Self::Group,
            Declared::Message(_) => Self::Message,
        }
    }
}

/// How often a value stands, and what its absence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Once; the default value is the same as none.
    Implicit,
    /// Once; presence is seen.
    Explicit,
    /// Any number of times, each with its own tag.
    Repeated,
    /// Any number of times, encoded in one run.
    Packed,
    /// A map.
    Map,
}

impl Arity {
    /// The arity of a field.
    pub fn of(field: &FieldDescriptor) -> Self {
        match field.cardinality() {
            Cardinality::Repeated if field.is_map() => Self::Map,
            Cardinality::Repeated if field.is_packed() => Self::Packed,
            Cardinality::Repeated => Self::Repeated,
            _ if field.supports_presence() => Self::Explicit,
            _ => Self::Implicit,
        }
    }

    /// Does the field hold at most one value?
    pub fn is_singular(self) -> bool {
        matches!(self, Self::Implicit | Self::Explicit)
    }
}

/// A field or message that data may stand in, and the way to it.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// All fields from the root to the leaf, the leaf last. An option on any of them covers the leaf.
    pub way: Vec<FieldDescriptor>,
    /// The declared path that opens it.
    pub path: PathIndex,
}

impl Trie {
    /// Compiles paths against `message`. No path at all opens nothing.
    ///
    /// Errors name the first path that cannot be granted.
    pub fn compile(message: &MessageDescriptor, paths: &[impl AsRef<str>]) -> Result<Self, PathError> {
        compile::compile(message, paths)
    }

    /// The message whose fields it opens.
    pub fn message(&self) -> &MessageDescriptor {
        &self.message
    }

    /// The paths as declared, in that order.
    pub fn paths(&self) -> &[Box<str>] {
        &self.paths
    }

    /// The path at an index; empty for an index of another trie.
    pub fn path(&self, index: PathIndex) -> &str {
        self.paths.get(index.get()).map_or("", |path| path)
    }

    /// Every place below which nothing further is opened: scalars, and messages that are opened
    /// for their presence alone. So whoever judges sensitivity by options sees each of them.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> {
        let mut leaves = Vec::new();
        collect(self.root(), &mut Vec::new(), &mut leaves);
        leaves.into_iter()
    }

    /// Does it open nothing?
    pub fn is_empty(&self) -> bool {
        self.root().fields().next().is_none()
    }

    /// The message itself, as a place to walk from.
    pub fn root(&self) -> Node<'_> {
        Node { trie: self, index: 0 }
    }
}

fn collect(node: Node<'_>, way: &mut Vec<FieldDescriptor>, leaves: &mut Vec<Leaf>) {
    for field in node.fields() {
        way.push(field.descriptor().clone());
        match field.child().filter(|child| child.fields().next().is_some()) {
            Some(child) => collect(child, way, leaves),
            None => leaves.push(Leaf { way: way.clone(), path: field.path() }),
        }
        way.pop();
    }
}

impl fmt::Debug for Trie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie")
            .field("message", &self.message.full_name())
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

/// A message on the way, of which some fields are granted.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    trie: &'t Trie,
    index: u32,
}

impl<'t> Node<'t> {
    /// The field of that number, if it is granted or leads to one that is.
    pub fn field(self, number: u32) -> Option<Field<'t>> {
        self.member(number).filter(|field| field.is_granted())
    }

    /// All granted fields, by number.
    pub fn fields(self) -> impl Iterator<Item = Field<'t>> {
        let specs = self.table().map_or(&[][..], |table| &table.specs);
        specs.iter().map(move |spec| Field { trie: self.trie, spec }).filter(|field| field.is_granted())
    }

    /// The field of that number, if it is granted or clears, as a member of a `oneof`, one that is.
    #[inline]
    pub(crate) fn member(self, number: u32) -> Option<Field<'t>> {
        let table = self.table()?;
        let place = match table.low.get(usize::try_from(number).ok()?) {
            Some(place) => usize::from(*place).checked_sub(1)?,
            None => table.specs.binary_search_by_key(&number, |spec| spec.number).ok()?,
        };
        Some(Field { trie: self.trie, spec: table.specs.get(place)? })
    }

    #[inline]
    fn table(self) -> Option<&'t Fields> {
        self.trie.nodes.get(usize::try_from(self.index).ok()?)
    }
}

/// A granted field, or one on the way to granted fields.
#[derive(Clone, Copy)]
pub struct Field<'t> {
    trie: &'t Trie,
    spec: &'t Spec,
}

impl<'t> Field<'t> {
    /// Its number in the message.
    pub fn number(self) -> u32 {
        self.spec.number
    }

    /// Its kind; of a map, [`Kind::Message`].
    pub fn kind(self) -> Kind {
        self.spec.kind
    }

    /// How often it stands.
    pub fn arity(self) -> Arity {
        self.spec.arity
    }

    /// The declared path that opens it (where it is not opened whole: one that goes through it).
    pub fn path(self) -> PathIndex {
        self.spec.path
    }

    /// Is it opened itself, its presence and all below included? Always so for a scalar.
    pub fn is_whole(self) -> bool {
        self.spec.opening == Opening::Whole
    }

    /// The message in it; of a map, the entry, with the fields `key` (1) and `value` (2).
    pub fn child(self) -> Option<Node<'t>> {
        self.spec.child.map(|index| Node { trie: self.trie, index })
    }

    /// Its descriptor, with its options.
    pub fn descriptor(self) -> &'t FieldDescriptor {
        &self.spec.descriptor
    }

    /// Is it more than a sibling that clears a granted one?
    pub(crate) fn is_granted(self) -> bool {
        self.spec.opening != Opening::Closed
    }

    /// The `oneof` it stands in, numbered within its message; none where it stands alone in it.
    pub(crate) fn oneof(self) -> Option<u16> {
        self.spec.oneof
    }

    /// What an absent varint counts as: an enum's first value, 0 elsewhere.
    pub(crate) fn absent(self) -> u64 {
        self.spec.absent
    }
}
