//! Reads an answer of MAGDA by a [`Plan`]: granted fields into canonical protobuf, facts apart, all else unread.
//!
//! Not done here: the reply's `Referte` is not held against the question's, since the platform's own test
//! answers do not echo it; whether the answer is about the person asked for is judged from the facts.
//! No document type, no entity but the five predefined and character references, UTF-8 only.

use std::borrow::Cow;

use bytes::Bytes;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::encode::{delimited, encode, message};
use super::exception::{self, Exception, Failure};
use super::plan::{Action, Element, Mark, Plan, SOAP, Space};
use crate::domain::facts::Facts;
use crate::source::condition::Outcome;
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
        let mut reading = Reading::new(self, limits);
        reading.document(text)?;
        reading.finish(asked)
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
    /// Fields collected for each open message: number and encoded field.
    slots: Vec<Vec<(u32, Vec<u8>)>>,
    /// Which messages of the outermost one have begun.
    seen: Vec<bool>,
    facts: Facts,
    exceptions: Vec<Exception>,
    fault: Option<Fault>,
}

impl<'p> Reading<'p> {
    fn new(plan: &'p Plan, limits: &'p Limits) -> Self {
        Self {
            plan,
            limits,
            open: Vec::new(),
            elements: 0,
            answer: false,
            opened: false,
            content: false,
            slots: vec![Vec::new(); plan.slots],
            seen: vec![false; plan.slots],
            facts: Facts::default(),
            exceptions: Vec::new(),
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
                    self.start(space, &start)?;
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
            ResolveResult::Bound(_) => Ok(None),
            ResolveResult::Unknown(_) => Err(INVALID),
        }
    }

    fn start(&mut self, space: Option<Space>, start: &BytesStart<'_>) -> Result<(), SourceError> {
        self.elements += 1;
        if self.elements > self.limits.elements || self.open.len() >= self.limits.depth {
            return Err(INVALID);
        }
        let name = start.local_name();
        let name = name.as_ref();
        let (parent, in_fault) = match self.open.last() {
            Some(level) => (level.element, level.fault != FaultPart::None),
            None if self.elements == 1 => (self.plan.elements.first(), false),
            None => return Err(INVALID),
        };
        let element = parent.and_then(|parent| self.child(parent, space, name));
        if self.open.is_empty() && element.is_none() {
            return Err(INVALID);
        }
        self.content |= parent.is_some_and(|parent| parent.mark == Mark::Content);
        self.attributes(element, start)?;
        let mut level = Level { element, ..Level::default() };
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
            Mark::Exception => self.exceptions.push(Exception::begun()),
            Mark::Code | Mark::Severity | Mark::Circumstance | Mark::Annotation => {
                level.text = Some(String::new());
            }
            Mark::Plain | Mark::Answer | Mark::Content => {}
        }
        if !element.text.is_empty() {
            level.text = Some(String::new());
        }
        // Of two protections, the end of one is not the end of the other.
        if element.protects && std::mem::replace(&mut self.facts.protected_address, true) {
            return Err(INVALID);
        }
        for open in element.opens.iter().filter(|open| open.parent == 0 && !open.repeated) {
            // A second person, even one without a number, or one of whom nothing is granted.
            let seen = self.seen.get_mut(open.slot).ok_or(INVALID)?;
            if std::mem::replace(seen, true) {
                return Err(INVALID);
            }
        }
        Ok(())
    }

    fn attributes(&mut self, element: Option<&Element>, start: &BytesStart<'_>) -> Result<(), SourceError> {
        let wanted = element.map_or(&[][..], |element| &element.attributes);
        for (count, attribute) in start.attributes().enumerate() {
            let attribute = attribute.map_err(|_| INVALID)?;
            if count >= self.limits.attributes {
                return Err(INVALID);
            }
            let found = wanted.iter().find(|(name, _)| **name == *attribute.key.as_ref());
            let Some((_, actions)) = found else { continue };
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| INVALID)?;
            if value.len() > self.limits.text || !value.chars().all(is_xml_char) {
                return Err(INVALID);
            }
            self.act(actions, &value)?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), SourceError> {
        match self.open.last_mut() {
            None if text.trim_matches(is_space).is_empty() => Ok(()),
            None => Err(INVALID),
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
            if let Some(exception) = self.exceptions.last_mut() {
                exception.tell(element.mark, text);
            }
            self.act(&element.text, text)?;
        }
        for open in element.opens.iter().rev() {
            let Some(slot) = self.slots.get_mut(open.slot) else {
                continue;
            };
            let message = message(std::mem::take(slot));
            if message.is_empty() && !open.keep_empty {
                continue;
            }
            let mut field = Vec::with_capacity(message.len() + 8);
            delimited(open.number, &message, &mut field);
            self.collect(open.parent, open.number, open.repeated, field)?;
        }
        Ok(())
    }

    fn fault_part(&mut self, part: FaultPart, text: &str) {
        let Some(fault) = &mut self.fault else { return };
        match part {
            FaultPart::Code => text.clone_into(&mut fault.code),
            FaultPart::Text if fault.text.len() < FAULT_TEXT => fault.text.push_str(text),
            FaultPart::Text | FaultPart::None => {}
        }
    }

    fn act(&mut self, actions: &[Action], text: &str) -> Result<(), SourceError> {
        for action in actions {
            match action {
                Action::Emit { slot, number, scalar, repeated, presence } => {
                    if let Some(field) =
                        encode(*number, *scalar, *repeated || *presence, text).map_err(|_| INVALID)?
                    {
                        self.collect(*slot, *number, *repeated, field)?;
                    }
                }
                Action::Subject => once(&mut self.facts.returned, text)?,
                Action::Protected => self.facts.protected_address = true,
                Action::ProtectedUntil => once(&mut self.facts.protected_until, text)?,
            }
        }
        Ok(())
    }

    /// A second value of a field that has room for one is a fault of the answer, not a choice of ours.
    fn collect(&mut self, slot: usize, number: u32, repeated: bool, field: Vec<u8>) -> Result<(), SourceError> {
        let slot = self.slots.get_mut(slot).ok_or(INVALID)?;
        if !repeated && slot.iter().any(|(known, _)| *known == number) {
            return Err(INVALID);
        }
        slot.push((number, field));
        Ok(())
    }

    fn finish(mut self, asked: &str) -> Result<Retrieved, Failure> {
        if let Some(fault) = &self.fault {
            return Err(exception::judge_fault(&fault.text, &fault.code));
        }
        let outcome = exception::judge(&self.exceptions, self.content)?;
        let replacement = exception::replacement(&self.exceptions, asked);
        let answer = match outcome {
            Outcome::Content => message(self.slots.first_mut().map(std::mem::take).unwrap_or_default()),
            Outcome::NotFound | Outcome::Filtered => Vec::new(),
        };
        let facts = match outcome {
            Outcome::Content => self.facts,
            Outcome::NotFound | Outcome::Filtered => Facts::default(),
        };
        Ok(Retrieved {
            answer: Bytes::from(answer),
            // Where the platform filtered everything out, there is nothing to judge and nothing to release.
            facts: Facts { found: outcome == Outcome::Content, replacement, ..facts },
        })
    }
}

/// Remembers a text that tells one thing; two that differ tell nothing.
fn once(known: &mut Option<Box<str>>, text: &str) -> Result<(), SourceError> {
    match known {
        _ if text.is_empty() => Ok(()),
        Some(known) if **known == *text => Ok(()),
        Some(_) => Err(INVALID),
        None => {
            *known = Some(text.into());
            Ok(())
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
