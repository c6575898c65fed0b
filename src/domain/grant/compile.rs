//! From paths to the trie.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind as Declared, MessageDescriptor, Value};

use super::{Arity, Fields, Kind, Opening, PathError, PathIndex, Spec, Trie};

const ANY: &str = "google.protobuf.Any";
const KEY: u32 = 1;
/// Bounds on what is kept: fields in a trie, names in a path (and depth of the trie), numbers looked up directly.
const MOST_FIELDS: usize = 32_768;
const MOST_NAMES: usize = 64;
const LOW_NUMBERS: u32 = 512;

/// A trie in the making: the opened fields of one message.
#[derive(Default)]
pub(super) struct Draft(pub(super) BTreeMap<u32, Branch>);

pub(super) struct Branch {
    pub(super) descriptor: FieldDescriptor,
    pub(super) path: PathIndex,
    pub(super) opening: Opening,
    pub(super) child: Option<Draft>,
}

pub(super) fn compile(
    message: &MessageDescriptor,
    paths: &[impl AsRef<str>],
) -> Result<Trie, PathError> {
    let names: Box<[Box<str>]> = paths.iter().map(|path| path.as_ref().into()).collect();
    let mut root = Draft::default();
    let mut fields = 0;
    for (nth, path) in names.iter().enumerate() {
        let index = u16::try_from(nth)
            .map(PathIndex)
            .map_err(|_| PathError::TooLarge { path: path.clone() })?;
        if path.split('.').count() > MOST_NAMES {
            return Err(PathError::TooLarge { path: path.clone() });
        }
        let mut opener = Opener {
            path,
            index,
            names: &names,
            fields,
            within: Vec::new(),
        };
        opener.open(&mut root, message, path)?;
        fields = opener.fields;
    }
    Ok(lay_out(message.clone(), names, &root))
}

/// Lays a draft out as a trie.
pub(super) fn lay_out(message: MessageDescriptor, paths: Box<[Box<str>]>, root: &Draft) -> Trie {
    let mut nodes = Vec::new();
    lay(&mut nodes, &message, root);
    Trie {
        message,
        paths,
        nodes: nodes.into(),
    }
}

/// Opens one path.
struct Opener<'a> {
    path: &'a str,
    index: PathIndex,
    names: &'a [Box<str>],
    /// Fields opened so far, by all paths.
    fields: usize,
    /// The messages that are being opened whole, outermost first.
    within: Vec<MessageDescriptor>,
}

impl Opener<'_> {
    fn open(
        &mut self,
        draft: &mut Draft,
        message: &MessageDescriptor,
        rest: &str,
    ) -> Result<(), PathError> {
        let (name, below) = rest
            .split_once('.')
            .map_or((rest, None), |(name, below)| (name, Some(below)));
        let field = self.resolve(message, name)?;
        if message.is_map_entry() {
            self.open_key(draft, message)?;
        }
        self.count()?;
        let branch = draft.0.entry(field.number()).or_insert_with(|| Branch {
            descriptor: field.clone(),
            path: self.index,
            opening: Opening::Part,
            child: None,
        });
        // A branch of another path: both may lead on, but neither may end here.
        if branch.path != self.index && (below.is_none() || branch.opening == Opening::Whole) {
            let other = self
                .names
                .get(branch.path.get())
                .cloned()
                .unwrap_or_default();
            return Err(PathError::Duplicate {
                path: self.path.into(),
                other,
            });
        }
        match (below, field.kind()) {
            (Some(below), Declared::Message(inner)) => {
                self.open(branch.child.get_or_insert_default(), &inner, below)
            }
            (Some(_), _) => Err(PathError::BelowScalar {
                path: self.path.into(),
                field: name.into(),
            }),
            (None, kind) => {
                branch.opening = Opening::Whole;
                branch.child = self.whole(&kind)?;
                Ok(())
            }
        }
    }

    fn resolve(
        &self,
        message: &MessageDescriptor,
        name: &str,
    ) -> Result<FieldDescriptor, PathError> {
        let path = || self.path.into();
        if name.is_empty() {
            return Err(PathError::Empty { path: path() });
        }
        if is_opaque(message) {
            return Err(PathError::Opaque { path: path() });
        }
        let field = message
            .get_field_by_name(name)
            .ok_or_else(|| PathError::Unknown {
                path: path(),
                message: message.full_name().into(),
                nearest: nearest(message, name),
            })?;
        match field.kind() {
            _ if field.is_group() => Err(PathError::Group { path: path() }),
            _ if message.is_map_entry() && field.number() == KEY => {
                Err(PathError::MapKey { path: path() })
            }
            Declared::Message(inner) if is_opaque(&inner) => {
                Err(PathError::Opaque { path: path() })
            }
            _ => Ok(field),
        }
    }

    /// A value of a map is nothing without its key.
    fn open_key(
        &mut self,
        entry: &mut Draft,
        message: &MessageDescriptor,
    ) -> Result<(), PathError> {
        self.count()?;
        let branch = Branch {
            descriptor: message.map_entry_key_field(),
            path: self.index,
            opening: Opening::Whole,
            child: None,
        };
        entry.0.entry(KEY).or_insert(branch);
        Ok(())
    }

    /// All that the descriptor declares below a field.
    fn whole(&mut self, kind: &Declared) -> Result<Option<Draft>, PathError> {
        let Declared::Message(message) = kind else {
            return Ok(None);
        };
        if self.within.contains(message) {
            return Err(PathError::Recursive {
                path: self.path.into(),
                message: message.full_name().into(),
            });
        }
        if self.within.len() >= MOST_NAMES {
            return Err(PathError::TooLarge {
                path: self.path.into(),
            });
        }
        self.within.push(message.clone());
        let mut draft = Draft::default();
        for field in message.fields().filter(|field| !field.is_group()) {
            let kind = field.kind();
            if kind.as_message().is_some_and(is_opaque) {
                continue;
            }
            self.count()?;
            let child = self.whole(&kind)?;
            let branch = Branch {
                path: self.index,
                opening: Opening::Whole,
                child,
                descriptor: field,
            };
            draft.0.insert(branch.descriptor.number(), branch);
        }
        self.within.pop();
        Ok(Some(draft))
    }

    fn count(&mut self) -> Result<(), PathError> {
        self.fields += 1;
        if self.fields > MOST_FIELDS {
            return Err(PathError::TooLarge {
                path: self.path.into(),
            });
        }
        Ok(())
    }
}

/// Is it `Any`, or a map of them?
fn is_opaque(message: &MessageDescriptor) -> bool {
    let any = |message: &MessageDescriptor| message.full_name() == ANY;
    any(message)
        || message.is_map_entry()
            && message
                .map_entry_value_field()
                .kind()
                .as_message()
                .is_some_and(any)
}

fn lay(nodes: &mut Vec<Fields>, message: &MessageDescriptor, draft: &Draft) -> Option<u32> {
    let index = nodes.len();
    nodes.push(Fields {
        specs: Box::default(),
        low: Box::default(),
    });
    let mut specs: BTreeMap<u32, Spec> = BTreeMap::new();
    for (number, branch) in &draft.0 {
        let mut spec = spec(&branch.descriptor, branch.path, branch.opening);
        if let (Some(child), Declared::Message(inner)) = (&branch.child, branch.descriptor.kind()) {
            spec.child = lay(nodes, &inner, child);
        }
        specs.insert(*number, spec);
    }
    link_oneofs(message, &mut specs);
    let specs: Box<[Spec]> = specs.into_values().collect();
    let low = lookup(&specs);
    if let Some(fields) = nodes.get_mut(index) {
        *fields = Fields { specs, low };
    }
    u32::try_from(index).ok()
}

fn spec(descriptor: &FieldDescriptor, path: PathIndex, opening: Opening) -> Spec {
    let absent = match descriptor.kind().default_value() {
        // Enums are encoded as int64 would be, sign and all.
        Value::EnumNumber(number) => i64::from(number).cast_unsigned(),
        _ => 0,
    };
    Spec {
        number: descriptor.number(),
        kind: Kind::of(descriptor),
        arity: Arity::of(descriptor),
        opening,
        oneof: None,
        path,
        child: None,
        absent,
        descriptor: descriptor.clone(),
    }
}

/// Numbers each `oneof` that holds a granted member, and adds the members that are not.
fn link_oneofs(message: &MessageDescriptor, specs: &mut BTreeMap<u32, Spec>) {
    for (oneof, nth) in message.oneofs().zip(0_u16..) {
        let granted = oneof
            .fields()
            .find_map(|member| Some(specs.get(&member.number())?.path));
        let Some(path) = granted.filter(|_| oneof.fields().len() > 1) else {
            continue;
        };
        for member in oneof.fields() {
            let member = specs
                .entry(member.number())
                .or_insert_with(|| spec(&member, path, Opening::Closed));
            member.oneof = Some(nth);
        }
    }
}

fn lookup(specs: &[Spec]) -> Box<[u16]> {
    let low = specs.iter().take_while(|spec| spec.number < LOW_NUMBERS);
    let mut places = Vec::new();
    for (spec, place) in low.zip(1_u16..) {
        places.resize(usize::try_from(spec.number).unwrap_or(0), 0);
        places.push(place);
    }
    places.into()
}

fn nearest(message: &MessageDescriptor, name: &str) -> Vec<Box<str>> {
    if name.len() > MOST_NAMES {
        return Vec::new();
    }
    let mut names: Vec<(usize, String)> = message
        .fields()
        .map(|field| (distance(name, field.name()), field.name().to_owned()))
        .collect();
    names.retain(|(distance, _)| *distance <= 2.max(name.len() / 3));
    names.sort();
    names
        .into_iter()
        .take(3)
        .map(|(_, name)| name.into())
        .collect()
}

/// Levenshtein's: how many letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (nth, x) in a.bytes().enumerate() {
        let mut left = nth + 1;
        let mut corner = nth;
        for (y, cell) in b.bytes().zip(row.iter_mut().skip(1)) {
            let best = (corner + usize::from(x != y)).min(left + 1).min(*cell + 1);
            corner = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = nth + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
