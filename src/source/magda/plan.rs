//! What of an answer is decoded: element path → field, compiled once for each method and grant.
//!
//! Invariant: an element, attribute or text that no granted field and no fact stands for has no
//! action in the plan, so the reader of [`super::answer`] skips it unread.

use std::fmt;

use prost_reflect::{FieldDescriptor, Kind};

use crate::domain::grant::{Node, Trie};
use crate::domain::vocabulary::{Method, Way, rule};

/// Namespace of the SOAP 1.1 envelope.
pub(super) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Where an element stands: MAGDA's own elements are unqualified, below one that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Soap,
    Service,
    Unqualified,
}

/// What the envelope knows an element as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Plain,
    Fault,
    Answer,
    Content,
    Exception,
    Code,
    Severity,
    Circumstance,
    Annotation,
}

/// What the text of an element or attribute is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    /// 0 or 1, or as XML Schema writes a boolean.
    Flag,
}

/// What is done with a text.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// It is a field of the message that `slot` collects.
    Emit {
        slot: usize,
        number: u32,
        scalar: Scalar,
        repeated: bool,
        /// The field tells an absent value from an empty one.
        presence: bool,
    },
    /// It is the number of the person that the answer is about.
    Subject,
    /// Its presence protects the address.
    Protected,
    /// It is the last day of that protection.
    ProtectedUntil,
}

/// A message that an element opens: collected in `slot`, appended to `parent` where the element ends.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub slot: usize,
    pub parent: usize,
    pub number: u32,
    pub repeated: bool,
    /// Granted itself, so that it stands even when it is empty.
    pub keep_empty: bool,
}

/// One element of the tree of elements that are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    pub mark: Mark,
    pub children: Vec<(Space, Box<str>, usize)>,
    pub attributes: Vec<(Box<str>, Vec<Action>)>,
    pub text: Vec<Action>,
    pub protects: bool,
    pub opens: Vec<Open>,
}

/// The plan by which an answer is read. Slot 0 collects the output message itself.
#[derive(Clone)]
pub struct Plan {
    pub(super) namespace: Box<str>,
    pub(super) elements: Vec<Element>,
    pub(super) slots: usize,
}

/// Why no plan can be made: a fault of the descriptors, found when an instrument is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The method is not asked over MAGDA.
    NotMagda,
    /// The grant speaks of another message than the method's output.
    OtherMessage,
    /// The field's `xml` option is no path of element names; holds the field's full name.
    Path(Box<str>),
    /// The field's type cannot be read from XML; holds the field's full name.
    Unsupported(Box<str>),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMagda => f.write_str("the method names no service of MAGDA"),
            Self::OtherMessage => f.write_str("the grant speaks of another message"),
            Self::Path(field) => write!(f, "{field}: `xml` is no path of element names"),
            Self::Unsupported(field) => write!(f, "{field}: this type is not read from XML"),
        }
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Compiles the plan of one method for what `granted` opens of its output message. A granted field
    /// that stands nowhere in XML is never found.
    pub fn compile(method: &Method, granted: &Trie) -> Result<Self, PlanError> {
        let magda = method.magda.as_ref().ok_or(PlanError::NotMagda)?;
        if *granted.message() != method.output {
            return Err(PlanError::OtherMessage);
        }
        let mut compiler = Compiler { elements: vec![Element::default()], slots: 1 };
        let content = compiler.envelope(&magda.service);
        compiler.message(granted.root(), content, 0)?;
        for (way, fact) in [
            (&method.subject_returned, Action::Subject),
            (&method.protected_address, Action::Protected),
            (&method.protected_until, Action::ProtectedUntil),
        ] {
            if let Some(way) = way {
                compiler.fact(way, content, fact)?;
            }
        }
        Ok(Self {
            namespace: magda.namespace.as_str().into(),
            elements: compiler.elements,
            slots: compiler.slots,
        })
    }
}

struct Compiler {
    elements: Vec<Element>,
    slots: usize,
}

impl Compiler {
    /// Lays out the envelope around the content, and returns the place of `Inhoud`.
    fn envelope(&mut self, service: &str) -> usize {
        let envelope = self.child(0, Space::Soap, "Envelope");
        let body = self.child(envelope, Space::Soap, "Body");
        let fault = self.child(body, Space::Soap, "Fault");
        self.mark(fault, Mark::Fault);
        let response = self.child(body, Space::Service, &format!("{service}Response"));
        let reply = self.reach(response, &["Repliek"]);
        let answer = self.reach(reply, &["Antwoorden", "Antwoord"]);
        self.mark(answer, Mark::Answer);
        for level in [reply, answer] {
            let exception = self.reach(level, &["Uitzonderingen", "Uitzondering"]);
            self.mark(exception, Mark::Exception);
            for (path, mark) in [
                (&["Identificatie"][..], Mark::Code),
                (&["Type"], Mark::Severity),
                (&["Omstandigheid"], Mark::Circumstance),
                (&["Annotaties", "Annotatie", "Waarde"], Mark::Annotation),
            ] {
                let element = self.reach(exception, path);
                self.mark(element, mark);
            }
        }
        let content = self.reach(answer, &["Inhoud"]);
        self.mark(content, Mark::Content);
        content
    }

    fn message(&mut self, granted: Node<'_>, element: usize, slot: usize) -> Result<(), PlanError> {
        for field in granted.fields() {
            let descriptor = field.descriptor();
            let Some(xml) = rule(descriptor).xml else { continue };
            let place = Place::of(descriptor, &xml)?;
            let element = self.reach(element, &place.elements);
            let number = field.number();
            let repeated = descriptor.is_list();
            match (descriptor.kind(), field.child()) {
                (Kind::Message(_), Some(child)) if !descriptor.is_map() && place.attribute.is_none() => {
                    let own = self.slots;
                    self.slots += 1;
                    let keep_empty = field.is_whole();
                    let open = Open { slot: own, parent: slot, number, repeated, keep_empty };
                    self.update(element, |at| at.opens.push(open));
                    self.message(child, element, own)?;
                }
                (kind, _) => {
                    let scalar = match kind {
                        Kind::String => Scalar::Text,
                        // Repeated flags would have to be packed; no service repeats one.
                        Kind::Bool if !repeated => Scalar::Flag,
                        _ => return Err(PlanError::Unsupported(descriptor.full_name().into())),
                    };
                    let presence = descriptor.supports_presence();
                    let action = Action::Emit { slot, number, scalar, repeated, presence };
                    self.act(element, place.attribute, action);
                }
            }
        }
        Ok(())
    }

    /// Reads a fact wherever it stands, whether or not the field that tells it is granted.
    fn fact(&mut self, way: &Way, content: usize, fact: Action) -> Result<(), PlanError> {
        let mut at = content;
        let mut attribute = None;
        for field in way {
            let xml = rule(field).xml.ok_or_else(|| PlanError::Path(field.full_name().into()))?;
            let place = Place::of(field, &xml)?;
            at = self.reach(at, &place.elements);
            attribute = place.attribute.map(str::to_owned);
        }
        match (&fact, attribute) {
            // The element itself tells, whatever it holds.
            (Action::Protected, None) => self.update(at, |at| at.protects = true),
            (_, attribute) => self.act(at, attribute.as_deref(), fact),
        }
        Ok(())
    }

    fn act(&mut self, element: usize, attribute: Option<&str>, action: Action) {
        self.update(element, |at| match attribute {
            None => at.text.push(action),
            Some(name) => match at.attributes.iter_mut().find(|(known, _)| **known == *name) {
                Some((_, actions)) => actions.push(action),
                None => at.attributes.push((name.into(), vec![action])),
            },
        });
    }

    fn reach(&mut self, from: usize, names: &[&str]) -> usize {
        names.iter().fold(from, |at, name| self.child(at, Space::Unqualified, name))
    }

    fn child(&mut self, parent: usize, space: Space, name: &str) -> usize {
        let new = self.elements.len();
        let mut found = new;
        self.update(parent, |at| {
            let mut known = at.children.iter();
            match known.find(|(known, label, _)| *known == space && **label == *name) {
                Some((_, _, child)) => found = *child,
                None => at.children.push((space, name.into(), new)),
            }
        });
        if found == new {
            self.elements.push(Element::default());
        }
        found
    }

    fn mark(&mut self, element: usize, mark: Mark) {
        self.update(element, |at| at.mark = mark);
    }

    fn update(&mut self, element: usize, change: impl FnOnce(&mut Element)) {
        if let Some(element) = self.elements.get_mut(element) {
            change(element);
        }
    }
}

/// Where a field stands, relative to the element of its message.
struct Place<'a> {
    elements: Vec<&'a str>,
    attribute: Option<&'a str>,
}

impl<'a> Place<'a> {
    fn of(field: &FieldDescriptor, xml: &'a str) -> Result<Self, PlanError> {
        Self::parse(xml).ok_or_else(|| PlanError::Path(field.full_name().into()))
    }

    fn parse(xml: &'a str) -> Option<Self> {
        let (path, last) = xml.rsplit_once('/').unwrap_or(("", xml));
        let mut elements: Vec<_> = path.split('/').filter(|_| xml.contains('/')).collect();
        let attribute = last.strip_prefix('@');
        if attribute.is_none() && xml != "." {
            elements.push(last);
        }
        let sound = |name: &&str| {
            name.starts_with(char::is_alphabetic)
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        };
        (elements.iter().all(sound) && attribute.iter().all(sound)).then_some(Self { elements, attribute })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn paths_are_element_names_that_may_end_in_an_attribute() {
        type Parsed = Option<(&'static [&'static str], Option<&'static str>)>;
        let table: [(&str, Parsed); 10] = [
            (".", Some((&[], None))),
            ("INSZ", Some((&["INSZ"], None))),
            ("@DatumBegin", Some((&[], Some("DatumBegin")))),
            ("Achternamen/Achternaam", Some((&["Achternamen", "Achternaam"], None))),
            ("INSZ/@IsFictief", Some((&["INSZ"], Some("IsFictief")))),
            ("", None),
            ("/INSZ", None),
            ("INSZ/", None),
            ("@A/B", None),
            ("Naam/.", None),
        ];
        for (xml, expected) in table {
            let place = Place::parse(xml);
            let place = place.as_ref().map(|place| (&*place.elements, place.attribute));
            assert_eq!(place, expected, "{xml}");
        }
    }
}
