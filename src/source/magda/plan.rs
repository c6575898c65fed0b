//! What of an answer is decoded: element path → field, compiled once for each method and grant.
//!
//! Invariant: an element, attribute or text that no granted field and no fact stands for has no
//! action in the plan, so the reader of [`super::answer`] skips it unread.

use std::fmt;

use prost_reflect::{FieldDescriptor, Kind};

use super::encode::{Holds, Scalar};
use crate::domain::grant::{Arity, Node, Trie};
use crate::domain::vocabulary::{Fact, Method, Way, XmlName, XmlPath, rule};

/// Namespace of the SOAP 1.1 envelope.
pub(super) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Where an element or attribute stands: MAGDA's own elements are unqualified, below one that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Soap,
    Service,
    Unqualified,
    /// In one of the plan's `namespaces`.
    Own(usize),
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

/// How many people a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The person asked for.
    Each,
    /// Several, of whom the person asked for is one.
    Among,
}

/// A field of the message that `slot` collects.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub slot: usize,
    pub number: u32,
    pub holds: Holds,
    /// The other members of its `oneof`.
    pub excludes: Box<[u32]>,
}

impl Target {
    fn of(field: &FieldDescriptor, slot: usize) -> Self {
        let holds = match Arity::of(field) {
            Arity::Implicit => Holds::One,
            Arity::Explicit => Holds::Presence,
            Arity::Repeated | Arity::Map => Holds::Many,
            Arity::Packed => Holds::Packed,
        };
        let members = field.containing_oneof().map(|oneof| oneof.fields().collect::<Vec<_>>());
        let others = members.unwrap_or_default();
        let others = others.iter().map(FieldDescriptor::number).filter(|number| *number != field.number());
        Self { slot, number: field.number(), holds, excludes: others.collect() }
    }

    /// Has it room for one value alone?
    pub(super) fn is_single(&self) -> bool {
        matches!(self.holds, Holds::One | Holds::Presence)
    }
}

/// What is done with a text.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// It is a value of a granted field.
    Emit(Target, Scalar),
    /// It is the number of the person that the answer is about.
    Subject,
    /// It is the number of somebody among whom that person is to be found.
    Party,
    /// Its presence protects the address.
    Protected,
    /// It is the last day of that protection.
    ProtectedUntil,
    /// It is what the source says of the whole answer, or the code of that, or stands beside it.
    Status,
    StatusCode,
    StatusInformation,
    /// It is the number that replaces the one asked for.
    Replacement,
}

impl From<Fact> for Action {
    fn from(fact: Fact) -> Self {
        match fact {
            Fact::ProtectedAddress => Self::Protected,
            Fact::ProtectedAddressUntil => Self::ProtectedUntil,
            Fact::Status => Self::Status,
            Fact::StatusCode => Self::StatusCode,
            Fact::StatusInformation => Self::StatusInformation,
            Fact::Replacement => Self::Replacement,
        }
    }
}

/// A message that an element opens: collected in `slot`, appended to its target where the element ends.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub slot: usize,
    pub target: Target,
    /// Granted itself, so that it stands even when it is empty.
    pub keep_empty: bool,
}

/// One element of the tree of elements that are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    pub mark: Mark,
    pub children: Vec<(Space, Box<str>, usize)>,
    pub attributes: Vec<(Space, Box<str>, Vec<Action>)>,
    pub text: Vec<Action>,
    pub protects: bool,
    pub scope: Option<Scope>,
    pub opens: Vec<Open>,
}

/// The plan by which an answer is read. Slot 0 collects the output message itself.
#[derive(Clone)]
pub struct Plan {
    pub(super) namespace: Box<str>,
    /// Those that names of the descriptors bring along.
    namespaces: Vec<Box<str>>,
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
        let mut compiler = Compiler {
            namespace: &magda.namespace,
            namespaces: Vec::new(),
            elements: vec![Element::default()],
            slots: 1,
        };
        let content = compiler.envelope(&magda.service);
        compiler.message(granted.root(), content, 0)?;
        let address = [
            (Fact::ProtectedAddress, &method.protected_address),
            (Fact::ProtectedAddressUntil, &method.protected_until),
        ];
        let address = address.into_iter().filter_map(|(fact, way)| Some((fact, way.as_ref()?)));
        for (fact, way) in address.chain(method.status.iter().map(|(fact, way)| (*fact, way))) {
            compiler.fact(way, content, &fact.into())?;
        }
        for way in &method.parties {
            compiler.fact(way, content, &Action::Party)?;
        }
        if let Some(way) = &method.subject_returned {
            compiler.fact(way, content, &Action::Subject)?;
        }
        let Compiler { namespaces, elements, slots, .. } = compiler;
        Ok(Self { namespace: magda.namespace.as_str().into(), namespaces, elements, slots })
    }

    /// A namespace that names of the descriptors bring along.
    pub(super) fn own_space(&self, namespace: &str) -> Option<Space> {
        self.namespaces.iter().position(|known| **known == *namespace).map(Space::Own)
    }
}

struct Compiler<'m> {
    namespace: &'m str,
    namespaces: Vec<Box<str>>,
    elements: Vec<Element>,
    slots: usize,
}

impl Compiler<'_> {
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
            let place = place(descriptor, &xml)?;
            let element = self.descend(element, &place.elements);
            let target = Target::of(descriptor, slot);
            match (descriptor.kind(), field.child()) {
                (Kind::Message(_), Some(child)) if !descriptor.is_map() && place.attribute.is_none() => {
                    let own = self.slots;
                    self.slots += 1;
                    let open = Open { slot: own, target, keep_empty: field.is_whole() };
                    self.update(element, |at| at.opens.push(open));
                    self.message(child, element, own)?;
                }
                _ => {
                    let unsupported = || PlanError::Unsupported(descriptor.full_name().into());
                    let scalar = Scalar::of(descriptor).ok_or_else(unsupported)?;
                    self.act(element, place.attribute, Action::Emit(target, scalar));
                }
            }
        }
        Ok(())
    }

    /// Reads a fact wherever it stands, whether or not the field that tells it is granted.
    fn fact(&mut self, way: &Way, content: usize, fact: &Action) -> Result<(), PlanError> {
        let mut at = content;
        for (step, field) in way.iter().enumerate() {
            let rule = rule(field);
            let xml = rule.xml.ok_or_else(|| PlanError::Path(field.full_name().into()))?;
            let place = place(field, &xml)?;
            at = self.descend(at, &place.elements);
            let last = step + 1 == way.len();
            match fact {
                Action::Party if rule.among && !last => {
                    self.update(at, |at| at.scope = Some(Scope::Among));
                }
                Action::Subject if field.is_list() && !last => {
                    self.update(at, |at| at.scope = at.scope.or(Some(Scope::Each)));
                }
                // The element itself tells, whatever it holds.
                Action::Protected if last && place.attribute.is_none() => {
                    self.update(at, |at| at.protects = true);
                    return Ok(());
                }
                _ => {}
            }
            if last {
                self.act(at, place.attribute, fact.clone());
            }
        }
        Ok(())
    }

    fn act(&mut self, element: usize, attribute: Option<XmlName<'_>>, action: Action) {
        let attribute = attribute.map(|name| (self.space(name), name.local));
        self.update(element, |at| match attribute {
            None => at.text.push(action),
            Some((space, name)) => {
                let mut known = at.attributes.iter_mut();
                match known.find(|(known, label, _)| *known == space && **label == *name) {
                    Some((_, _, actions)) => actions.push(action),
                    None => at.attributes.push((space, name.into(), vec![action])),
                }
            }
        });
    }

    fn space(&mut self, name: XmlName<'_>) -> Space {
        let Some(namespace) = name.namespace else { return Space::Unqualified };
        match namespace {
            SOAP => Space::Soap,
            _ if namespace == self.namespace => Space::Service,
            _ => Space::Own(self.namespaces.iter().position(|known| **known == *namespace).unwrap_or_else(
                || {
                    self.namespaces.push(namespace.into());
                    self.namespaces.len() - 1
                },
            )),
        }
    }

    fn descend(&mut self, from: usize, names: &[XmlName<'_>]) -> usize {
        names.iter().fold(from, |at, name| {
            let space = self.space(*name);
            self.child(at, space, name.local)
        })
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
fn place<'x>(field: &FieldDescriptor, xml: &'x str) -> Result<XmlPath<'x>, PlanError> {
    XmlPath::parse(xml).ok_or_else(|| PlanError::Path(field.full_name().into()))
}
