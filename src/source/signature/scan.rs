//! Finds, in one pass over a document, what a signature speaks of: the body, the one signature in the header, and
//! every element that has an id.

use std::collections::HashMap;
use std::ops::Range;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::canonical::{Scope, attributes, referred};
use super::{DSIG, EXCLUSIVE, SOAP, Unsigned, WSSE, WSU};
use crate::source::magda::Limits;

/// An element, and what is bound outside it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) at: Range<usize>,
    pub(super) scope: Scope,
}

/// A part that a signature covers.
#[derive(Default)]
pub(super) struct Reference {
    pub(super) uri: String,
    /// The transforms: algorithm and list of inclusive prefixes.
    pub(super) transforms: Vec<(String, String)>,
    pub(super) digest_method: String,
    pub(super) digest: String,
}

/// The signature in the header, as written.
#[derive(Default)]
pub(super) struct Signature {
    pub(super) info: Option<Place>,
    pub(super) canonicalisation: (String, String),
    pub(super) method: String,
    pub(super) references: Vec<Reference>,
    pub(super) value: String,
}

/// A document, as far as its signature goes.
#[derive(Default)]
pub(super) struct Scanned {
    /// The id of the body.
    pub(super) body: Option<String>,
    pub(super) signature: Option<Signature>,
    /// Elements by id; those whose id another has too are none.
    pub(super) by_id: HashMap<String, Option<Place>>,
}

/// Elements with an id that are remembered; the header of a signed answer has a handful.
const MOST_IDS: usize = 64;
/// Parts that a signature may cover.
const MOST_REFERENCES: usize = 16;

/// Where the pass is: a step of the few paths that matter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Other,
    Envelope,
    Header,
    Body,
    Security,
    Signature,
    Info,
    Canonicalisation,
    Reference,
    Transforms,
    Transform,
    Digest,
    Value,
}

struct Open {
    step: Step,
    begins: usize,
    /// How much was bound outside it.
    outside: usize,
    id: Option<String>,
}

/// Scans a document.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<Scanned, Unsigned> {
    let mut pass = Pass { scanned: Scanned::default(), open: Vec::new(), scope: Scope::default(), elements: 0 };
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    loop {
        let begins = usize::try_from(reader.buffer_position()).map_err(|_| Unsigned)?;
        let event = reader.read_event()?;
        let ends = usize::try_from(reader.buffer_position()).map_err(|_| Unsigned)?;
        match event {
            Event::Start(start) => pass.start(&start, begins, limits)?,
            Event::End(_) => pass.end(ends)?,
            Event::Text(text) => pass.text(&text.xml10_content()),
            Event::CData(text) => pass.text(&text.xml10_content()),
            Event::GeneralRef(reference) => pass.text(&referred(&reference)?),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof if pass.open.is_empty() => return Ok(pass.scanned),
            Event::DocType(_) | Event::Empty(_) | Event::Eof => return Err(Unsigned),
        }
    }
}

struct Pass {
    scanned: Scanned,
    open: Vec<Open>,
    scope: Scope,
    elements: usize,
}

impl Pass {
    fn start(&mut self, start: &BytesStart<'_>, begins: usize, limits: &Limits) -> Result<(), Unsigned> {
        self.elements += 1;
        if self.elements > limits.elements || self.open.len() >= limits.depth {
            return Err(Unsigned);
        }
        let outside = self.scope.len();
        let attributes = attributes(start, limits.attributes, &mut self.scope)?;
        let scope = &self.scope;
        let name = start.name();
        let (prefix, local) = name.as_ref().split_once(':').unwrap_or(("", name.as_ref()));
        let step = self.step(scope.uri(prefix), local);
        let of = |local: &str| attributes.iter().find(|one| one.prefix.is_empty() && one.local == local);
        let mut ids = attributes.iter().filter(|one| match scope.uri(one.prefix) {
            WSU if !one.prefix.is_empty() => one.local == "Id",
            _ => one.prefix.is_empty() && matches!(one.local, "Id" | "ID" | "id"),
        });
        let id = ids.next().map(|id| id.value.clone());
        // Two ids of one element could be meant each by another reader.
        if ids.next().is_some() {
            return Err(Unsigned);
        }
        let algorithm = of("Algorithm").map(|algorithm| algorithm.value.as_str()).unwrap_or_default();
        let detail = match step {
            Step::Reference => of("URI").map(|uri| uri.value.as_str()).unwrap_or_default(),
            _ if local == "InclusiveNamespaces" && scope.uri(prefix) == EXCLUSIVE => {
                of("PrefixList").map(|list| list.value.as_str()).unwrap_or_default()
            }
            _ => algorithm,
        };
        self.enter(step, local, detail, id.as_deref())?;
        let id = id.filter(|id| self.may_be_named(id));
        self.open.push(Open { step, begins, outside, id });
        Ok(())
    }

    fn step(&self, space: &str, local: &str) -> Step {
        let outer = self.open.last().map(|open| open.step);
        match (outer, space, local) {
            (None, SOAP, "Envelope") => Step::Envelope,
            (Some(Step::Envelope), SOAP, "Header") => Step::Header,
            (Some(Step::Envelope), SOAP, "Body") => Step::Body,
            (Some(Step::Header), WSSE, "Security") => Step::Security,
            (Some(Step::Header | Step::Security), DSIG, "Signature") => Step::Signature,
            (Some(Step::Signature), DSIG, "SignedInfo") => Step::Info,
            (Some(Step::Signature), DSIG, "SignatureValue") => Step::Value,
            (Some(Step::Info), DSIG, "CanonicalizationMethod") => Step::Canonicalisation,
            (Some(Step::Info), DSIG, "Reference") => Step::Reference,
            (Some(Step::Reference), DSIG, "Transforms") => Step::Transforms,
            (Some(Step::Transforms), DSIG, "Transform") => Step::Transform,
            (Some(Step::Reference), DSIG, "DigestValue") => Step::Digest,
            _ => Step::Other,
        }
    }

    fn enter(&mut self, step: Step, local: &str, detail: &str, id: Option<&str>) -> Result<(), Unsigned> {
        let outer = self.open.last().map(|open| open.step);
        if step == Step::Body && self.scanned.body.replace(id.unwrap_or_default().to_owned()).is_some() {
            return Err(Unsigned);
        }
        if step == Step::Signature {
            // Which of two would count?
            return match self.scanned.signature.replace(Signature::default()) {
                None => Ok(()),
                Some(_) => Err(Unsigned),
            };
        }
        let Some(signature) = &mut self.scanned.signature else { return Ok(()) };
        match (step, outer) {
            (Step::Canonicalisation, _) => detail.clone_into(&mut signature.canonicalisation.0),
            (_, Some(Step::Canonicalisation)) if local == "InclusiveNamespaces" => {
                detail.clone_into(&mut signature.canonicalisation.1);
            }
            (Step::Reference, _) if signature.references.len() >= MOST_REFERENCES => return Err(Unsigned),
            (Step::Reference, _) => {
                signature.references.push(Reference { uri: detail.to_owned(), ..Reference::default() });
            }
            (Step::Transform, _) => {
                let reference = signature.references.last_mut().ok_or(Unsigned)?;
                reference.transforms.push((detail.to_owned(), String::new()));
            }
            (_, Some(Step::Transform)) => {
                let transforms = signature.references.last_mut().map(|reference| &mut reference.transforms);
                let (_, list) = transforms.and_then(|transforms| transforms.last_mut()).ok_or(Unsigned)?;
                if local != "InclusiveNamespaces" {
                    return Err(Unsigned);
                }
                detail.clone_into(list);
            }
            (Step::Other, Some(Step::Info)) if local == "SignatureMethod" => {
                detail.clone_into(&mut signature.method);
            }
            (Step::Other, Some(Step::Reference)) if local == "DigestMethod" => {
                let reference = signature.references.last_mut().ok_or(Unsigned)?;
                detail.clone_into(&mut reference.digest_method);
            }
            _ => {}
        }
        Ok(())
    }

    /// Once it is known what the signature covers, nothing else need be remembered.
    fn may_be_named(&self, id: &str) -> bool {
        match &self.scanned.signature {
            Some(Signature { info: Some(_), references, .. }) => {
                references.iter().any(|reference| reference.uri.strip_prefix('#') == Some(id))
            }
            _ => true,
        }
    }

    fn text(&mut self, text: &str) {
        let Some(signature) = &mut self.scanned.signature else { return };
        match self.open.last().map(|open| open.step) {
            Some(Step::Value) => signature.value.push_str(text),
            Some(Step::Digest) => {
                if let Some(reference) = signature.references.last_mut() {
                    reference.digest.push_str(text);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, ends: usize) -> Result<(), Unsigned> {
        let Open { step, begins, outside, id } = self.open.pop().ok_or(Unsigned)?;
        self.scope.back_to(outside);
        let place = || Place { at: begins..ends, scope: self.scope.clone() };
        if step == Step::Info {
            let signature = self.scanned.signature.as_mut().ok_or(Unsigned)?;
            if signature.info.replace(place()).is_some() {
                return Err(Unsigned);
            }
        }
        if let Some(id) = id {
            if self.scanned.by_id.len() >= MOST_IDS {
                return Err(Unsigned);
            }
            let place = place();
            self.scanned.by_id.entry(id).and_modify(|twice| *twice = None).or_insert(Some(place));
        }
        Ok(())
    }
}
