//! From a file's text to an instrument, or to everything that is wrong with it.

use std::sync::Arc;

use toml::de::DeTable;

use super::canonical::content_hash;
use super::fault::Faults;
use super::flow::{Context, compile_flow};
use super::parse::{Draft, parse};
use super::section::owned;
use super::{Broken, Grant, Instrument};
use crate::domain::vocabulary::Vocabulary;

/// Reads one file. `file` is only a name, for the errors.
pub fn read(file: &str, text: &str, vocabulary: &Vocabulary) -> Result<Instrument, Box<Broken>> {
    let mut faults = Faults::new(file, text);
    let (table, syntax) = DeTable::parse_recoverable(text);
    let table = table.get_ref();
    if syntax.is_empty() {
        let content_hash = content_hash(table, &mut faults);
        let draft = parse(table, &mut faults);
        let grants = compile(&draft, content_hash, vocabulary, &mut faults);
        let instrument = assemble(file, &draft, content_hash, grants);
        return match instrument.filter(|_| faults.is_empty()) {
            Some(instrument) => Ok(instrument),
            None => Err(broken(file, &draft, faults)),
        };
    }
    for error in syntax {
        match error.span() {
            Some(span) => faults.at(span, error.message()),
            None => faults.whole(error.message()),
        }
    }
    // What can still be made out closes what it names; its further faults may be no faults at all.
    let draft = parse(table, &mut Faults::new(file, text));
    Err(broken(file, &draft, faults))
}

fn compile(
    draft: &Draft<'_>,
    content_hash: [u8; 32],
    vocabulary: &Vocabulary,
    faults: &mut Faults<'_>,
) -> Vec<Arc<Grant>> {
    if let Some(id) = &draft.id {
        let own = draft.supersedes.iter().find(|other| other.get_ref() == id.get_ref());
        if let Some(own) = own {
            let message =
                "an instrument does not supersede itself: of two versions in force, the later one counts";
            faults.at(own.span(), message);
        }
    }
    let context = Context { draft, content_hash, vocabulary };
    let mut grants: Vec<Arc<Grant>> = Vec::with_capacity(draft.flows.len());
    for flow in &draft.flows {
        let Some(grant) = compile_flow(flow, &context, faults) else {
            continue;
        };
        let mut others = grants.iter();
        if others.any(|other| other.purpose == grant.purpose && other.method.path == grant.method.path) {
            let message = "a second flow opens this method for this purpose: give each its own purpose";
            faults.at(flow.section.span("purpose"), message);
        }
        grants.push(Arc::new(grant));
    }
    grants
}

fn assemble(
    file: &str,
    draft: &Draft<'_>,
    content_hash: [u8; 32],
    grants: Vec<Arc<Grant>>,
) -> Option<Instrument> {
    let parties = draft.parties.iter().map(|one| one.party.clone());
    let purposes = draft.purposes.iter().map(|one| one.purpose.clone());
    Some(Instrument {
        file: file.into(),
        id: owned(draft.id.as_ref()?),
        version: owned(draft.version.as_ref()?),
        kind: draft.kind?,
        text: draft.text?,
        title: draft.title.clone()?,
        issuer: draft.issuer.clone(),
        supersedes: draft.supersedes.iter().map(owned).collect(),
        validity: draft.validity?,
        parties: parties.collect::<Option<_>>()?,
        purposes: purposes.collect::<Option<_>>()?,
        provenance: draft.provenance.clone(),
        content_hash,
        grants,
    })
}

fn broken(file: &str, draft: &Draft<'_>, faults: Faults<'_>) -> Box<Broken> {
    Box::new(Broken {
        file: file.into(),
        id: draft.id.as_ref().map(owned),
        version: draft.version.as_ref().map(owned),
        validity: draft.validity,
        supersedes: draft.supersedes.iter().map(owned).collect(),
        errors: faults.into_errors(),
    })
}
