//! From one flow to its grant: parties, purpose, method and fields are looked up, permissions judged.

use std::ops::Range;

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use toml::Spanned;

use super::canonical::sha256_text;
use super::fault::{Faults, suggest};
use super::parse::{Draft, DraftFlow};
use super::permission::{Permission, Permissions, needed};
use super::{Grant, PartyKey, Purpose};
use crate::domain::grant::{Leaf, Trie};
use crate::domain::sheltered::Sheltered;
use crate::domain::vocabulary::{Method, Sensitivity, Vocabulary, rule};

/// What a flow is looked up in.
pub(super) struct Context<'a> {
    pub draft: &'a Draft<'a>,
    pub content_hash: [u8; 32],
    pub vocabulary: &'a Vocabulary,
}

/// The grant of a flow, or `None` with its faults noted.
pub(super) fn compile_flow(
    flow: &DraftFlow<'_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<Grant> {
    let draft = context.draft;
    let sources = parties(flow, "from", &flow.from, draft, faults);
    let recipients = parties(flow, "to", &flow.to, draft, faults);
    if let Some(both) = flow.to.iter().find(|to| flow.from.iter().any(|from| from.get_ref() == to.get_ref())) {
        let message = format!("`{}` stands in `from` and in `to`", both.get_ref());
        faults.at(both.span(), message);
    }
    let purpose = purpose(flow, draft, faults);
    let method = method(flow, context.vocabulary, faults)?;
    pinned(flow, method, faults);
    let request = declared(&method.input, &flow.request, faults)?;
    let answer = declared(&method.output, &flow.answer, faults)?;
    subject_is_asked(flow, method, &request, faults);
    let permissions = permissions(flow, method, [&request, &answer], faults);
    if let Some(purpose) = purpose {
        purpose_fits(flow, method, purpose, faults);
    }
    let purpose = purpose?;
    Some(Grant {
        protocol: (*draft.id.as_ref()?.get_ref()).into(),
        version: (*draft.version.as_ref()?.get_ref()).into(),
        content_hash: context.content_hash,
        purpose: purpose.id.clone(),
        legal_basis: purpose.legal_basis.clone(),
        article: (*flow.article.as_ref()?.get_ref()).into(),
        method: method.clone(),
        recipients,
        sources,
        fields_text: answer.trie.paths().join("\n").into(),
        request: request.trie,
        sheltered: Sheltered::of(&answer.trie),
        answer: answer.trie,
        upstream: purpose.upstream.clone(),
        permissions,
        validity: draft.validity?,
    })
}

fn parties(
    flow: &DraftFlow<'_>,
    key: &str,
    names: &[Spanned<&str>],
    draft: &Draft<'_>,
    faults: &mut Faults<'_>,
) -> Vec<PartyKey> {
    if flow.section.is_empty_list(key) {
        faults.at(flow.section.span(key), format!("`{key}` names at least one party"));
    }
    let mut keys = Vec::with_capacity(names.len());
    for name in names {
        let mut all = draft.parties.iter();
        let Some(found) = all.find(|party| party.name.get_ref() == name.get_ref()) else {
            let instead = suggest(name.get_ref(), draft.parties.iter().map(|party| *party.name.get_ref()));
            faults.at(name.span(), format!("no party is named `{}`{instead}", name.get_ref()));
            continue;
        };
        // A party with a fault of its own has it noted already.
        let Some(party) = &found.party else { continue };
        if let Some(key) = party.key() {
            keys.push(key);
        } else {
            let message = format!("`{}` stands in a flow, so it needs a `kbo`", party.name);
            faults.at(name.span(), message);
        }
    }
    keys
}

fn purpose<'d>(flow: &DraftFlow<'_>, draft: &'d Draft<'_>, faults: &mut Faults<'_>) -> Option<&'d Purpose> {
    let id = flow.purpose.as_ref()?;
    let mut all = draft.purposes.iter();
    let Some(found) = all.find(|purpose| purpose.id.get_ref() == id.get_ref()) else {
        let instead = suggest(id.get_ref(), draft.purposes.iter().map(|purpose| *purpose.id.get_ref()));
        faults.at(id.span(), format!("no purpose has the id `{}`{instead}", id.get_ref()));
        return None;
    };
    found.purpose.as_ref()
}

fn method<'v>(
    flow: &DraftFlow<'_>,
    vocabulary: &'v Vocabulary,
    faults: &mut Faults<'_>,
) -> Option<&'v std::sync::Arc<Method>> {
    let name = flow.method.as_ref()?;
    let found = vocabulary.method_by_name(name.get_ref());
    if found.is_none() {
        let instead = suggest(name.get_ref(), vocabulary.methods().map(|method| &*method.name));
        faults.at(name.span(), format!("no method is called `{}`{instead}", name.get_ref()));
    }
    found
}

/// The flow speaks of the descriptors as they are now, and of no others.
fn pinned(flow: &DraftFlow<'_>, method: &Method, faults: &mut Faults<'_>) {
    let now = sha256_text(&method.descriptor_hash);
    let line = format!("descriptors = \"{now}\"");
    match &flow.descriptors {
        Some(pin) if *pin.get_ref() == now => {}
        Some(pin) => {
            let message = format!(
                "the descriptors of {} are other ones: judge the fields anew, then write {line}",
                method.name
            );
            faults.at(pin.span(), message);
        }
        None if flow.section.has("descriptors") => {}
        None => {
            let message = format!("flow lacks the key `descriptors`: write {line}");
            faults.at(flow.section.span("descriptors"), message);
        }
    }
}

/// Paths, compiled, and where each stands in the file.
struct Declared {
    trie: Trie,
    spans: Vec<Range<usize>>,
    /// Some paths have a fault and are left out.
    partial: bool,
}

impl Declared {
    fn span(&self, leaf: &Leaf) -> Range<usize> {
        self.spans.get(leaf.path.get()).cloned().unwrap_or_default()
    }
}

/// Leaves the faulty paths out, so that the others are judged too.
fn declared(message: &MessageDescriptor, paths: &[Spanned<&str>], faults: &mut Faults<'_>) -> Option<Declared> {
    let mut good: Vec<&str> = Vec::with_capacity(paths.len());
    let mut spans = Vec::with_capacity(paths.len());
    for path in paths {
        good.push(path.get_ref());
        if let Err(error) = Trie::compile(message, &good) {
            good.pop();
            faults.at(path.span(), error.to_string());
        } else {
            spans.push(path.span());
        }
    }
    let trie = Trie::compile(message, &good).ok()?;
    Some(Declared { trie, partial: spans.len() < paths.len(), spans })
}

/// Whom a request asks about is a field like any other: it is declared, or nobody can ask.
fn subject_is_asked(flow: &DraftFlow<'_>, method: &Method, request: &Declared, faults: &mut Faults<'_>) {
    let asks = |leaf: Leaf| leaf.way.last().is_some_and(|field| rule(field).subject);
    if !request.partial && flow.section.has("request") && !request.trie.leaves().any(asks) {
        let message = format!("`request` lacks the data subject's own field: add \"{}\"", method.subject_path);
        faults.at(flow.section.span("request"), message);
    }
}

fn permissions(
    flow: &DraftFlow<'_>,
    method: &Method,
    directions: [&Declared; 2],
    faults: &mut Faults<'_>,
) -> Permissions {
    let granted = flow.permissions.iter().map(|one| *one.get_ref());
    let granted = granted.fold(Permissions::default(), Permissions::with);
    let mut used = Permissions::default();
    for direction in directions {
        for leaf in direction.trie.leaves() {
            for one in needed_by(&leaf, method, direction.trie.message() == &method.output).iter() {
                used = used.with(one);
                if !granted.contains(one) {
                    let names: Vec<&str> = leaf.way.iter().map(FieldDescriptor::name).collect();
                    let message = format!(
                        "\"{}\" needs the permission `{word}`: leave it out, or add \"{word}\" to `permissions`",
                        names.join("."),
                        word = one.name(),
                    );
                    faults.at(direction.span(&leaf), message);
                }
            }
            let address = leaf.way.iter().any(|field| rule(field).sensitivity == Sensitivity::Address);
            if address && granted.contains(Permission::ProtectedAddress) {
                used = used.with(Permission::ProtectedAddress);
            }
        }
    }
    let partial = directions.iter().any(|direction| direction.partial);
    for one in flow.permissions.iter().filter(|one| !partial && !used.contains(*one.get_ref())) {
        let message = format!("no field needs the permission `{}`: leave it out", one.get_ref().name());
        faults.at(one.span(), message);
    }
    granted
}

fn needed_by(leaf: &Leaf, method: &Method, in_answer: bool) -> Permissions {
    let rules = leaf.way.iter().map(rule);
    let mut all = Permissions::default();
    let (mut address, mut third) = (false, false);
    for rule in rules {
        all = needed(&rule).iter().fold(all, Permissions::with);
        address |= rule.sensitivity == Sensitivity::Address;
        third |= rule.third_person;
    }
    // The flag of an answer speaks of the data subject's address, not of another person's.
    if in_answer && address && (third || method.protected_address.is_none()) {
        all = all.with(Permission::UnflaggedAddress);
    }
    all
}

fn purpose_fits(flow: &DraftFlow<'_>, method: &Method, purpose: &Purpose, faults: &mut Faults<'_>) {
    if method.magda.is_some() && purpose.upstream.magda_identification.is_none() {
        let message = format!(
            "{} is asked over MAGDA: purpose `{}` needs `magda_identification` in its `upstream`",
            method.name, purpose.id
        );
        faults.at(flow.section.span("method"), message);
    }
    let mut special = flow.permissions.iter().filter(|one| one.get_ref().needs_special_ground());
    if let Some(one) = special.next().filter(|_| purpose.special_ground.is_none()) {
        let message = format!(
            "`{}` needs a ground (GDPR art. 9(2), art. 10): add `special_ground` to purpose `{}`",
            one.get_ref().name(),
            purpose.id
        );
        faults.at(one.span(), message);
    }
}
