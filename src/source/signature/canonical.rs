//! Exclusive XML Canonicalization 1.0 (W3C, 18 July 2002) of one element, without comments.
//!
//! Refused rather than written: processing instructions, document types, entities that are not predefined, prefixes
//! that nothing binds.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::Unsigned;

/// Prefixes that may be bound at once; a signed answer has a handful.
const MOST_BOUND: usize = 128;

/// Prefixes and what they are bound to, the innermost last. The prefix of unprefixed elements is empty.
#[derive(Clone, Default)]
pub(super) struct Scope(Vec<(Box<str>, Box<str>)>);

impl Scope {
    /// What a prefix stands for; empty where it stands for none.
    pub(super) fn uri(&self, prefix: &str) -> &str {
        self.0.iter().rev().find(|(known, _)| **known == *prefix).map_or("", |(_, uri)| uri)
    }

    /// Binds one more. Their number is bounded: each element may stand among all that its ancestors bound.
    pub(super) fn bind(&mut self, prefix: &str, uri: &str) -> Result<(), Unsigned> {
        if self.0.len() >= MOST_BOUND {
            return Err(Unsigned);
        }
        self.0.push((prefix.into(), uri.into()));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn back_to(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

/// An attribute of an element, its value as it is meant.
pub(super) struct Attribute<'a> {
    pub(super) prefix: &'a str,
    pub(super) local: &'a str,
    pub(super) value: String,
}

/// The attributes of an element; what it binds goes to `scope`.
pub(super) fn attributes<'a>(
    start: &'a BytesStart<'_>,
    most: usize,
    scope: &mut Scope,
) -> Result<Vec<Attribute<'a>>, Unsigned> {
    let mut attributes = Vec::new();
    for (count, attribute) in start.attributes().enumerate() {
        let attribute = attribute.map_err(|_| Unsigned)?;
        if count >= most {
            return Err(Unsigned);
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| Unsigned)?.into_owned();
        let name: &'a str = attribute.key.into_inner();
        match name.split_once(':') {
            None if name == "xmlns" => scope.bind("", &value)?,
            None => attributes.push(Attribute { prefix: "", local: name, value }),
            Some(("xmlns", _)) if value.is_empty() => return Err(Unsigned),
            Some(("xmlns", prefix)) => scope.bind(prefix, &value)?,
            Some((prefix, local)) => attributes.push(Attribute { prefix, local, value }),
        }
    }
    Ok(attributes)
}

/// The canonical form of the element that is all of `element`, of which `scope` is in force outside. `inclusive` names
/// the prefixes that are treated as inclusive canonicalisation does (`PrefixList`).
pub(super) fn canonical(
    element: &str,
    scope: &Scope,
    inclusive: &[&str],
    attributes_at_most: usize,
) -> Result<String, Unsigned> {
    let mut form = Form {
        out: String::with_capacity(element.len() + 256),
        scope: scope.clone(),
        rendered: Scope::default(),
        open: Vec::new(),
        inclusive,
    };
    let mut reader = Reader::from_str(element);
    reader.config_mut().expand_empty_elements = true;
    loop {
        match reader.read_event()? {
            Event::Start(start) => form.start(&start, attributes_at_most)?,
            Event::End(end) => form.end(end.name().as_ref()),
            Event::Text(text) => escape(&text.xml10_content(), false, &mut form.out),
            Event::CData(text) => escape(&text.xml10_content(), false, &mut form.out),
            Event::GeneralRef(reference) => escape(&referred(&reference)?, false, &mut form.out),
            Event::Comment(_) => {}
            Event::Eof if form.open.is_empty() => return Ok(form.out),
            Event::PI(_) | Event::Decl(_) | Event::DocType(_) | Event::Empty(_) | Event::Eof => {
                return Err(Unsigned);
            }
        }
    }
}

/// What a character reference, or one of the five entities, stands for.
pub(super) fn referred(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Unsigned> {
    match reference.resolve_char_ref().map_err(|_| Unsigned)? {
        Some(char) => Ok(Cow::Owned(char.to_string())),
        None => resolve_predefined_entity(reference).map(Cow::Borrowed).ok_or(Unsigned),
    }
}

struct Form<'i> {
    out: String,
    /// What is bound in the document.
    scope: Scope,
    /// What is bound in what was written.
    rendered: Scope,
    /// How long both were outside each open element.
    open: Vec<(usize, usize)>,
    inclusive: &'i [&'i str],
}

impl Form<'_> {
    fn start(&mut self, start: &BytesStart<'_>, attributes_at_most: usize) -> Result<(), Unsigned> {
        self.open.push((self.scope.len(), self.rendered.len()));
        let mut attributes = attributes(start, attributes_at_most, &mut self.scope)?;
        let name = start.name();
        let name = name.as_ref();
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);

        self.out.push('<');
        self.out.push_str(name);
        self.namespaces(prefix, &attributes)?;
        attributes.sort_by(|a, b| (self.of(a), a.local).cmp(&(self.of(b), b.local)));
        for Attribute { prefix, local, value } in &attributes {
            self.out.push(' ');
            if !prefix.is_empty() {
                self.out.extend([prefix, ":"]);
            }
            self.out.extend([local, "=\""]);
            escape(value, true, &mut self.out);
            self.out.push('"');
        }
        self.out.push('>');
        Ok(())
    }

    /// The namespace of an attribute: none where it has no prefix.
    fn of(&self, attribute: &Attribute<'_>) -> &str {
        if attribute.prefix.is_empty() { "" } else { self.scope.uri(attribute.prefix) }
    }

    /// Writes what is visibly used here, or inclusive, and was not written with this meaning by an element outside.
    fn namespaces(&mut self, own: &str, attributes: &[Attribute<'_>]) -> Result<(), Unsigned> {
        let used = attributes.iter().map(|attribute| attribute.prefix).filter(|prefix| !prefix.is_empty());
        let mut prefixes: Vec<&str> = used.chain([own]).collect();
        if prefixes
            .iter()
            .any(|prefix| !prefix.is_empty() && *prefix != "xml" && self.scope.uri(prefix).is_empty())
        {
            return Err(Unsigned);
        }
        prefixes.extend(self.inclusive.iter().filter(|prefix| !self.scope.uri(prefix).is_empty()));
        prefixes.sort_unstable();
        prefixes.dedup();
        for prefix in prefixes.into_iter().filter(|prefix| *prefix != "xml") {
            let uri = self.scope.uri(prefix);
            if self.rendered.uri(prefix) == uri {
                continue;
            }
            self.out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            self.out.extend([prefix, "=\""]);
            escape(uri, true, &mut self.out);
            self.out.push('"');
            let uri: Box<str> = uri.into();
            self.rendered.bind(prefix, &uri)?;
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        self.out.extend(["</", name, ">"]);
        if let Some((scope, rendered)) = self.open.pop() {
            self.scope.back_to(scope);
            self.rendered.back_to(rendered);
        }
    }
}

/// Text, or the value of an attribute, as canonical XML escapes it.
pub(in crate::source) fn escape(text: &str, attribute: bool, out: &mut String) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' if !attribute => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\t' if attribute => out.push_str("&#x9;"),
            '\n' if attribute => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            char => out.push(char),
        }
    }
}
