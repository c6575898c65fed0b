//! `settle`: what only the answer or the moment tells, judged when the data are about to leave.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::catalogue::Catalogue;
use super::decide::Permit;
use super::facts::Facts;
use super::instrument::Permission;
use super::reason::{Denial, Reason};

/// What may leave of one answer.
pub enum Verdict {
    /// The source knows no such person: released as an empty message.
    Nobody,
    /// All that the permit opens.
    All,
    /// What the permit opens, without what tells where the person lives: [`Permit::sheltered`].
    WithoutAddress,
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
        return Ok(Verdict::WithoutAddress);
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
        None if facts.unnamed && permit.request().method.unnamed => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::super::sheltered::Sheltered;
    use super::*;

    fn facts(change: impl Fn(&mut Facts)) -> Facts {
        let mut facts = Facts { found: true, returned: Some(SUBJECT.into()), ..Facts::default() };
        change(&mut facts);
        facts
    }

    fn verdict(facts: &Facts) -> Result<&'static str, Reason> {
        match settle(&permit("parking-offender", None), facts, &CATALOGUE, now()) {
            Ok(Verdict::Nobody) => Ok("nobody"),
            Ok(Verdict::All) => Ok("all"),
            Ok(Verdict::WithoutAddress) => Ok("without address"),
            Err(denial) => Err(denial.reason),
        }
    }

    #[test]
    fn only_an_answer_about_the_person_asked_for_leaves() {
        let other = || Some("04622921841".into());
        for (facts, expected) in [
            (Facts::default(), Ok("nobody")),
            (facts(|_| ()), Ok("all")),
            (facts(|facts| facts.returned = other()), Err(Reason::SourceAnswerInvalid)),
            (facts(|facts| facts.returned = None), Err(Reason::SourceAnswerInvalid)),
            (
                facts(|facts| {
                    facts.returned = other();
                    facts.replacement = other();
                }),
                Ok("all"),
            ),
            (
                facts(|facts| {
                    facts.returned = other();
                    facts.replacement = Some("62710512470".into());
                }),
                Err(Reason::SourceAnswerInvalid),
            ),
            (facts(|facts| facts.replacement = other()), Ok("all")),
        ] {
            assert_eq!(verdict(&facts), expected);
        }
    }

    #[test]
    fn a_protected_address_is_withheld_until_its_protection_ends() {
        for (until, expected) in [
            (None, "without address"),
            (Some("2035-01-01"), "without address"),
            (Some("2026-11-22"), "without address"),
            (Some("2026-11-21"), "all"),
            (Some("2026-00-00"), "without address"),
            (Some("soon"), "without address"),
        ] {
            let protected = facts(|facts| {
                facts.protected_address = true;
                facts.protected_until = until.map(Into::into);
            });
            assert_eq!(verdict(&protected), Ok(expected), "{until:?}");
        }
    }

    #[test]
    fn what_stays_of_a_protected_person_tells_no_place() {
        let protected = facts(|facts| facts.protected_address = true);
        let permit = permit("attest", None);
        let verdict = settle(&permit, &protected, &CATALOGUE, now());
        assert!(matches!(verdict, Ok(Verdict::WithoutAddress)), "an address was to be withheld");
        let Sheltered { answer, withheld } = permit.sheltered();
        assert!(answer.covers("person.name.last_names") && answer.covers("person.civil_states.code"));
        assert!(!answer.covers("person.main_residence.house_number"));
        assert!(withheld.iter().all(|path| path.starts_with("person.main_residence.")), "{withheld:?}");
        assert_eq!(withheld.len(), 6);
    }

    #[test]
    fn the_text_that_permitted_must_still_be_in_force() {
        let refused = |catalogue: &Catalogue| {
            settle(&permit("attest", None), &facts(|_| ()), catalogue, now()).err().map(|denial| denial.reason)
        };
        let ended =
            catalogue(|text| text.replace("from = 2024-01-01", "from = 2024-01-01\nuntil = 2026-11-21"));
        let other = catalogue(|text| text.replace("\"person.civil_states.code\",", ""));
        assert_eq!(refused(&CATALOGUE), None);
        assert_eq!(refused(&ended), Some(Reason::ProtocolNotInForce));
        assert_eq!(refused(&other), Some(Reason::ProtocolNotInForce));
    }
}
