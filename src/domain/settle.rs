//! `settle`: what only the answer or the moment tells, judged when the data are about to leave.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::catalogue::Catalogue;
use super::decide::Permit;
use super::facts::Facts;
use super::grant::Trie;
use super::instrument::Permission;
use super::reason::{Denial, Reason};
use super::vocabulary::{Sensitivity, rule};

/// What may leave of one answer.
pub enum Verdict {
    /// The source knows no such person: released as an empty message.
    Nobody,
    /// All that the permit opens.
    All,
    /// What the permit opens, without what tells where the person lives.
    WithoutAddress {
        /// The fields that stay.
        answer: Trie,
        /// The declared paths that hold an address.
        withheld: Vec<Box<str>>,
    },
}

/// Judges an answer at the moment of its release.
///
/// # Errors
/// Where the instrument is no longer in force, or the answer is not known to be about the person asked for.
pub fn settle(
    permit: &Permit,
    facts: &Facts,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Verdict, Denial> {
    still_in_force(permit, catalogue, now)?;
    if !facts.found {
        return Ok(Verdict::Nobody);
    }
    about_the_person_asked_for(permit, facts)?;
    if protected(facts, now) && !permit.grant().permissions.contains(Permission::ProtectedAddress) {
        return Ok(without_address(permit));
    }
    Ok(Verdict::All)
}

/// The very text that permitted the question must be in force now: a later version decides anew, not retroactively.
fn still_in_force(permit: &Permit, catalogue: &Catalogue, now: Timestamp) -> Result<(), Denial> {
    let not_in_force = || Denial::from(Reason::ProtocolNotInForce);
    let protocol = catalogue.protocol(&permit.request().protocol).ok_or_else(not_in_force)?;
    let instrument = protocol.in_force(now).map_err(|why| not_in_force().citing(why.to_string()))?;
    if instrument.content_hash == permit.grant().content_hash { Ok(()) } else { Err(not_in_force()) }
}

fn about_the_person_asked_for(permit: &Permit, facts: &Facts) -> Result<(), Denial> {
    let asked = permit.request().subject.as_str();
    match facts.returned.as_deref() {
        Some(returned) if returned == asked => Ok(()),
        Some(returned) if facts.replacement.as_deref() == Some(returned) => Ok(()),
        _ => Err(Reason::SourceAnswerInvalid.into()),
    }
}

/// An unreadable or absent end leaves the protection standing.
fn protected(facts: &Facts, now: Timestamp) -> bool {
    if !facts.protected_address {
        return false;
    }
    let until: Option<Date> = facts.protected_until.as_deref().and_then(|text| text.parse().ok());
    match (until, TimeZone::get("Europe/Brussels")) {
        (Some(until), Ok(brussels)) => until >= now.to_zoned(brussels).date(),
        _ => true,
    }
}

fn without_address(permit: &Permit) -> Verdict {
    let all = permit.answer();
    let tells_where = |field: &prost_reflect::FieldDescriptor| rule(field).sensitivity == Sensitivity::Address;
    let mut withheld: Vec<Box<str>> = Vec::new();
    for leaf in all.leaves().filter(|leaf| leaf.way.iter().any(tells_where)) {
        let name = all.path(leaf.path);
        if !withheld.iter().any(|known| &**known == name) {
            withheld.push(name.into());
        }
    }
    Verdict::WithoutAddress { answer: all.without(tells_where), withheld }
}
