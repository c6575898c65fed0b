//! Reads an answer of MAGDA by a [`Plan`]: granted fields into canonical protobuf, facts apart, all else unread.
//!
//! Not done here: the reply's `Referte` is not held against the question's, since the platform's own test
//! answers do not echo it; whether the answer is about the person asked for is judged from the facts.
//! No document type, no entity but the five predefined and character references, UTF-8 only.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceResolver, QName, ResolveResult};
use quick_xml::reader::NsReader;

use super::exception::{self, Exception, Failure};
use super::gather::Gathered;
use super::plan::{Element, Mark, Plan, SOAP, Space};
use crate::source::{Retrieved, SourceError};

/// How large and how deep an answer may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the body.
    pub body: usize,
    /// Elements within each other.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Bytes of one text.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 8 << 20, depth: 64, elements: 200_000, attributes: 64, text: 1 << 20 }
    }
}

/// The text of a Fault that is searched for the throttle, in bytes.
const FAULT_TEXT: usize = 4096;

/// Namespace of `nil`, by which an element says that it has no value.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

const INVALID: SourceError = SourceError::AnswerInvalid;

impl Plan {
    /// Reads one answer to a question about the number `asked`.
    pub fn read(&self, body: &[u8], asked: &str, limits: &Limits) -> Result<Retrieved, Failure> {
        if body.len() > limits.body {
            return Err(SourceError::AnswerTooLarge.into());
        }
        let text = text(body).ok_or(INVALID)?;
        if !text.chars().all(is_xml_char) {
            return Err(INVALID.into());
        }
        let mut reading = Reading::new(self, asked, limits);
        reading.document(text)?;
        if let Some(fault) = &reading.fault {
            return Err(exception::judge_fault(&fault.text, &fault.code));
        }
        reading.gathered.finish(reading.content, asked)
    }
}

/// The text of a body, in UTF-8, without a byte-order mark.
pub(super) fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    Some(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// An element that is open.
#[derive(Default)]
struct Level<'p> {
    /// Its place in the plan; absent where nothing of it is read.
    element: Option<&'p Element>,
    /// Its own text, where that is wanted.
    text: Option<String>,
    /// It says that it has no value.
    nil: bool,
    fault: FaultPart,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum FaultPart {
    #[default]
    None,
    Text,
    Code,
}

#[derive(Default)]
struct Fault {
    text: String,
    code: String,
}

struct Reading<'p> {
    plan: &'p Plan,
    limits: &'p Limits,
    open: Vec<Level<'p>>,
    elements: usize,
    /// `Antwoord` was seen, and `Inhoud`, and an element in it.
    answer: bool,
    opened: bool,
    content: bool,
    gathered: Gathered<'p>,
    fault: Option<Fault>,
}

impl<'p> Reading<'p> {
    fn new(plan: &'p Plan, asked: &'p str, limits: &'p Limits) -> Self {
        Self {
            plan,
            limits,
            open: Vec::new(),
            elements: 0,
            answer: false,
            opened: false,
            content: false,
            gathered: Gathered::new(plan, asked),
            fault: None,
        }
    }

    fn document(&mut self, text: &str) -> Result<(), SourceError> {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut first = true;
        loop {
            let (space, event) = reader.read_resolved_event().map_err(|_| INVALID)?;
            match event {
                Event::Start(start) => {
                    let space = self.space(&space)?;
                    self.start(space, &start, reader.resolver())?;
                }
                Event::End(_) => self.end()?,
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::CData(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Decl(declaration) if first => utf8(&declaration)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.open.is_empty() && self.elements > 0 => return Ok(()),
                Event::Decl(_) | Event::DocType(_) | Event::Empty(_) | Event::Eof => {
                    return Err(INVALID);
                }
            }
            first = false;
        }
    }

    /// The namespace as the plan names it; none where it names no such.
    fn space(&self, space: &ResolveResult<'_>) -> Result<Option<Space>, SourceError> {
        match space {
            ResolveResult::Unbound => Ok(Some(Space::Unqualified)),
            ResolveResult::Bound(bound) if bound.0 == SOAP => Ok(Some(Space::Soap)),
            ResolveResult::Bound(bound) if *bound.0 == *self.plan.namespace => Ok(Some(Space::Service)),
            ResolveResult::Bound(bound) => Ok(self.plan.own_space(bound.0)),
            ResolveResult::Unknown(_) => Err(INVALID),
        }
    }

    fn start(
        &mut self,
        space: Option<Space>,
        start: &BytesStart<'_>,
        names: &NamespaceResolver,
    ) -> Result<(), SourceError> {
        self.elements += 1;
        if self.elements > self.limits.elements || self.open.len() >= self.limits.depth {
            return Err(INVALID);
        }
        let name = start.local_name();
        let name = name.as_ref();
        let (parent, in_fault) = match self.open.last() {
            // What has no value has no parts.
            Some(Level { nil: true, .. }) => return Err(INVALID),
            Some(level) => (level.element, level.fault != FaultPart::None),
            None if self.elements == 1 => (self.plan.elements.first(), false),
            None => return Err(INVALID),
        };
        let element = parent.and_then(|parent| self.child(parent, space, name));
        if self.open.is_empty() && element.is_none() {
            return Err(INVALID);
        }
        self.content |= parent.is_some_and(|parent| parent.mark == Mark::Content);
        // Before its attributes: whom they name stands within the element.
        if let Some(element) = element {
            self.gathered.begin(element)?;
        }
        let nil = self.attributes(element, start, names)?;
        let mut level = Level { element, nil, ..Level::default() };
        if in_fault {
            level.text = Some(String::new());
            level.fault = match name {
                "Identificatie" => FaultPart::Code,
                _ => FaultPart::Text,
            };
        }
        if let Some(element) = element {
            self.enter(element, &mut level)?;
        }
        self.open.push(level);
        Ok(())
    }

    fn child(&self, parent: &Element, space: Option<Space>, name: &str) -> Option<&'p Element> {
        let space = space?;
        let (_, _, index) =
            parent.children.iter().find(|(known, label, _)| *known == space && **label == *name)?;
        self.plan.elements.get(*index)
    }

    fn enter(&mut self, element: &Element, level: &mut Level<'p>) -> Result<(), SourceError> {
        match element.mark {
            Mark::Fault => {
                self.fault = Some(Fault::default());
                level.fault = FaultPart::Text;
            }
            // One question is asked, so that a second answer would be about something else.
            Mark::Answer if std::mem::replace(&mut self.answer, true) => return Err(INVALID),
            Mark::Content if std::mem::replace(&mut self.opened, true) => return Err(INVALID),
            Mark::Exception => self.gathered.exceptions.push(Exception::begun()),
            Mark::Code | Mark::Severity | Mark::Circumstance | Mark::Annotation => {
                level.text = Some(String::new());
            }
            Mark::Plain | Mark::Answer | Mark::Content => {}
        }
        if !element.text.is_empty() {
            level.text = Some(String::new());
        }
        Ok(())
    }

    /// Reads what is wanted of them; tells whether the element says that it has no value.
    fn attributes(
        &mut self,
        element: Option<&Element>,
        start: &BytesStart<'_>,
        names: &NamespaceResolver,
    ) -> Result<bool, SourceError> {
        let mut nil = false;
        for (count, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|_| INVALID)?;
            if count >= self.limits.attributes {
                return Err(INVALID);
            }
            let Some(element) = element else { continue };
            let (instance, space) = self.attribute_space(attribute.key, names)?;
            let name = attribute.key.local_name();
            let says_nil = instance && name.as_ref() == "nil";
            let found = element
                .attributes
                .iter()
                .find(|(known, label, _)| Some(*known) == space && **label == *name.as_ref());
            if found.is_none() && !says_nil {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| INVALID)?;
            if value.len() > self.limits.text || !value.chars().all(is_xml_char) {
                return Err(INVALID);
            }
            match value.trim_matches(is_space) {
                "1" | "true" if says_nil => nil = true,
                "0" | "false" if says_nil => {}
                _ if says_nil => return Err(INVALID),
                _ => {}
            }
            if let Some((_, _, actions)) = found {
                self.gathered.act(actions, &value)?;
            }
        }
        Ok(nil)
    }

    /// Whether an attribute is one of XML Schema's own, and where else it stands. Without a prefix it stands in no namespace.
    fn attribute_space(
        &self,
        key: QName<'_>,
        names: &NamespaceResolver,
    ) -> Result<(bool, Option<Space>), SourceError> {
        if key.prefix().is_none() {
            return Ok((false, Some(Space::Unqualified)));
        }
        if key.as_namespace_binding().is_some() {
            return Ok((false, None));
        }
        let (space, _) = names.resolve_attribute(key);
        let instance = matches!(&space, ResolveResult::Bound(bound) if bound.0 == INSTANCE);
        Ok((instance, self.space(&space)?))
    }

    fn text(&mut self, text: &str) -> Result<(), SourceError> {
        match self.open.last_mut() {
            None if text.trim_matches(is_space).is_empty() => Ok(()),
            None => Err(INVALID),
            Some(Level { nil: true, .. }) if !text.trim_matches(is_space).is_empty() => Err(INVALID),
            Some(Level { text: None, .. }) => Ok(()),
            Some(Level { text: Some(own), .. }) => {
                if own.len() + text.len() > self.limits.text {
                    return Err(INVALID);
                }
                own.push_str(text);
                Ok(())
            }
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), SourceError> {
        let text = match reference.resolve_char_ref().map_err(|_| INVALID)? {
            Some(char) if is_xml_char(char) => Cow::Owned(char.to_string()),
            Some(_) => return Err(INVALID),
            None => Cow::Borrowed(resolve_predefined_entity(reference).ok_or(INVALID)?),
        };
        if self.open.is_empty() { Err(INVALID) } else { self.text(&text) }
    }

    fn end(&mut self) -> Result<(), SourceError> {
        let level = self.open.pop().ok_or(INVALID)?;
        let text = level.text.as_deref().map(|text| text.trim_matches(is_space));
        if let Some(text) = text {
            self.fault_part(level.fault, text);
        }
        let Some(element) = level.element else {
            return Ok(());
        };
        if let Some(text) = text {
            if let Some(exception) = self.gathered.exceptions.last_mut() {
                exception.tell(element.mark, text);
            }
            if !level.nil {
                self.gathered.act(&element.text, text)?;
            }
        }
        self.gathered.end(element, level.nil)
    }

    fn fault_part(&mut self, part: FaultPart, text: &str) {
        let Some(fault) = &mut self.fault else { return };
        match part {
            FaultPart::Code => text.clone_into(&mut fault.code),
            FaultPart::Text if fault.text.len() < FAULT_TEXT => fault.text.push_str(text),
            FaultPart::Text | FaultPart::None => {}
        }
    }
}

/// XML 1.0, production 2.
pub(super) fn is_xml_char(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// XML 1.0, production 3.
fn is_space(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' ')
}

fn utf8(declaration: &BytesDecl<'_>) -> Result<(), SourceError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err(INVALID),
    }
}
