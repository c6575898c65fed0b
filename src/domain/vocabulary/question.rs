//! Whether a question over MAGDA can be written: its elements name what request and answer have.

use prost_reflect::{Kind, MessageDescriptor};

use super::VocabularyError;
use super::xml::{XmlName, XmlPath};
use crate::proto::options;

/// Judges the content of a question, part by part.
pub(super) fn check(
    magda: &options::Magda,
    (input, output): (&MessageDescriptor, &MessageDescriptor),
    method: &str,
    left: &mut usize,
) -> Result<(), VocabularyError> {
    let container = magda.container.as_str();
    let name = |path: XmlPath<'_>| {
        path.attribute.is_none() && matches!(&path.elements[..], [] | [XmlName { namespace: None, .. }])
    };
    if !container.is_empty() && !XmlPath::parse(container).is_some_and(name) {
        return Err(VocabularyError::ContentPath(method.into(), container.into()));
    }
    Checker { method, output, left }.all(&magda.content, input)
}

struct Checker<'a> {
    method: &'a str,
    output: &'a MessageDescriptor,
    /// Fields that may still be looked at.
    left: &'a mut usize,
}

impl Checker<'_> {
    fn all(&mut self, elements: &[options::Element], about: &MessageDescriptor) -> Result<(), VocabularyError> {
        elements.iter().try_for_each(|element| self.one(element, about))
    }

    fn one(&mut self, element: &options::Element, about: &MessageDescriptor) -> Result<(), VocabularyError> {
        let at = || element.path.as_str().into();
        let group = !element.elements.is_empty();
        let place = XmlPath::parse(&element.path)
            .filter(|path| !(path.elements.is_empty() || group && path.attribute.is_some()));
        if place.is_none() {
            return Err(VocabularyError::ContentPath(self.method.into(), at()));
        }
        for path in &element.opened_by {
            let known = exists(self.output, path, self.left)
                .ok_or_else(|| VocabularyError::TooWide(self.method.into()))?;
            if !known {
                return Err(VocabularyError::ContentField(self.method.into(), path.as_str().into()));
            }
        }
        let field = || VocabularyError::ContentField(self.method.into(), element.field.as_str().into());
        let found = match element.field.as_str() {
            "" => None,
            path => Some(reach(about, path).ok_or_else(field)?),
        };
        let told = !element.value.is_empty() || !element.opened_by.is_empty();
        match (found, group) {
            // A group has no text of its own, and a flag no field.
            (_, true) if told => Err(VocabularyError::ContentTwice(self.method.into(), at())),
            (Some(_), _) if !element.opened_by.is_empty() => {
                Err(VocabularyError::ContentTwice(self.method.into(), at()))
            }
            (None, true) => self.all(&element.elements, about),
            (Some(Kind::Message(inner)), true) => self.all(&element.elements, &inner),
            (Some(Kind::Message(_)), false) | (Some(_), true) => Err(field()),
            (Some(_), false) => Ok(()),
            (None, false) if told => Ok(()),
            (None, false) => Err(VocabularyError::ContentEmpty(self.method.into(), at())),
        }
    }
}

/// What the field at the end of a path holds; only the last may be repeated, and none is a map.
fn reach(message: &MessageDescriptor, path: &str) -> Option<Kind> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = message.get_field_by_name(name).filter(|field| !field.is_map())?;
    match (rest, field.kind()) {
        (None, kind) => Some(kind),
        (Some(rest), Kind::Message(inner)) if !field.is_list() => reach(&inner, rest),
        (Some(_), _) => None,
    }
}

/// Whether a message has a field at such a path; `*` is any of its fields. `None` where that takes too long to tell.
fn exists(message: &MessageDescriptor, path: &str, left: &mut usize) -> Option<bool> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    for field in message.fields().filter(|field| name == "*" || field.name() == name) {
        *left = left.checked_sub(1)?;
        let known = match (rest, field.kind()) {
            (None, _) => true,
            (Some(rest), Kind::Message(inner)) => exists(&inner, rest, left)?,
            (Some(_), _) => false,
        };
        if known {
            return Some(true);
        }
    }
    Some(false)
}
