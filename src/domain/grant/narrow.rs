//! From one trie to a smaller one: what a caller asks for, what must be withheld.

use std::collections::BTreeSet;

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::compile::{Branch, Draft, compile, lay_out};
use super::{Node, Opening, PathError, PathIndex, Trie};

impl Trie {
    /// The declared path that opens all of `path`, if one does. A finer path below a granted message is opened with
    /// it; a message of which only fields are granted is not opened itself, not even when they are all it has.
    pub fn opener(&self, path: &str) -> Option<PathIndex> {
        let mut node = Some(self.root());
        let mut found = None;
        for name in path.split('.') {
            let field = node?.fields().find(|field| field.descriptor().name() == name)?;
            node = field.child();
            found = Some(field);
        }
        found.filter(|field| field.is_whole()).map(super::Field::path)
    }

    /// Is all of this path granted?
    pub fn covers(&self, path: &str) -> bool {
        self.opener(path).is_some()
    }

    /// Is anything granted at this path: the field itself, or any below it? A `*` in it is any field.
    pub fn reaches(&self, path: &str) -> bool {
        reaches(self.root(), path)
    }

    /// The trie for a caller who asks for these paths only. Its [`paths`](Trie::paths) are theirs, less those
    /// that another of them contains. A path that is not covered is an error, which names it.
    pub fn narrow(&self, paths: &[impl AsRef<str>]) -> Result<Self, PathError> {
        for path in paths.iter().map(AsRef::as_ref) {
            if !self.covers(path) {
                // A misspelt name is told as such.
                compile(&self.message, &[path])?;
                return Err(PathError::NotCovered { path: path.into() });
            }
        }
        // Nothing is withheld below what is covered, so that compiling anew opens no more than before.
        compile(&self.message, &outermost(paths))
    }

    /// The same trie without the fields that `drop` names, and all below them. Path indexes stay. A message
    /// that loses a field so is no longer opened for its presence: empty, it looks like an absent one.
    /// A map whose key or value is dropped goes whole.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&FieldDescriptor) -> bool) -> Self {
        let (root, _) = prune(self.root(), &drop);
        lay_out(self.message.clone(), self.paths.clone(), &root)
    }
}

/// The longest beginning of a path whose names are fields below `message`; empty where not even the first is.
pub fn known_part<'p>(message: &MessageDescriptor, path: &'p str) -> &'p str {
    let mut message = Some(message.clone());
    let mut known = 0;
    for name in path.split('.') {
        let Some(field) = message.and_then(|message| message.get_field_by_name(name)) else { break };
        message = field.kind().as_message().cloned();
        known += name.len() + usize::from(known > 0);
    }
    path.get(..known).unwrap_or_default()
}

fn reaches(node: Node<'_>, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    node.fields().filter(|field| name == "*" || field.descriptor().name() == name).any(|field| match rest {
        None => true,
        Some(rest) => field.child().is_some_and(|child| reaches(child, rest)),
    })
}

/// The paths that no other contains, each once, in their order.
fn outermost(paths: &[impl AsRef<str>]) -> Vec<&str> {
    // "." sorts before all that a name may hold, so that what a path contains follows it at once.
    let sorted: BTreeSet<&str> = paths.iter().map(AsRef::as_ref).collect();
    let mut last: Option<&str> = None;
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for path in sorted {
        if last.is_none_or(|outer| !path.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))) {
            kept.insert(path);
            last = Some(path);
        }
    }
    paths.iter().map(AsRef::as_ref).filter(|path| kept.remove(path)).collect()
}

/// What is left, and whether anything was dropped.
fn prune(node: Node<'_>, drop: &impl Fn(&FieldDescriptor) -> bool) -> (Draft, bool) {
    let mut draft = Draft::default();
    let mut dropped = false;
    for field in node.fields() {
        let (child, hole) = match field.child().map(|child| prune(child, drop)) {
            Some((child, hole)) => (Some(child), hole),
            None => (None, false),
        };
        let left = child.as_ref().map_or(0, |child| child.0.len());
        let gone = hole && (left == 0 || field.descriptor().is_map() && left < 2);
        dropped |= hole;
        if gone || drop(field.descriptor()) {
            dropped = true;
            continue;
        }
        let opening = if hole || !field.is_whole() { Opening::Part } else { Opening::Whole };
        let branch = Branch { descriptor: field.descriptor().clone(), path: field.path(), opening, child };
        draft.0.insert(field.number(), branch);
    }
    (draft, dropped)
}
