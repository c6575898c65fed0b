//! `decide`: what is known before anyone is asked. Denies by default, and says why.
//!
//! Only it gives a permit. One can be read:
//! ```
//! # fn f(permit: sluis::domain::decide::Permit) -> u64 {
//! permit.epoch()
//! # }
//! ```
//! and neither be made nor altered:
//! ```compile_fail,E0616
//! # fn f(mut permit: sluis::domain::decide::Permit) {
//! permit.epoch = 0;
//! # }
//! ```

use std::sync::Arc;

use super::catalogue::{Catalogue, Protocol};
use super::grant::{Trie, known_part};
use super::instrument::{Grant, Instrument, PartyKey};
use super::party::Role;
use super::reason::{Denial, NO_MESSAGE, Reason};
use super::request::ExchangeRequest;
use super::sheltered::Sheltered;
use jiff::Timestamp;

/// Names the first field of a request message that a trie does not grant.
/// An error where the bytes are no message.
pub type Undeclared = fn(&Trie, &[u8]) -> Result<Option<String>, ()>;

/// What `decide` judges by.
pub struct Knowledge<'a> {
    /// The instruments.
    pub catalogue: &'a Catalogue,
    /// The policy epoch of the registers that the decision rests on.
    pub epoch: u64,
    /// Finds what a request sends undeclared.
    pub undeclared: Undeclared,
    /// The instant of the decision.
    pub now: Timestamp,
}

/// Leave to ask a source. Only [`decide`] gives it.
pub struct Permit {
    request: ExchangeRequest,
    grant: Arc<Grant>,
    narrowed: Option<Narrowed>,
    epoch: u64,
}

/// Less than the grant opens, because the caller asked for less.
struct Narrowed {
    answer: Trie,
    sheltered: Sheltered,
}

/// A question that may not be asked, and why.
pub struct Refusal {
    /// The question.
    pub request: ExchangeRequest,
    /// Why not.
    pub denial: Denial,
    /// The text by which it was refused, where one is in force for it.
    pub text: Option<Text>,
    /// The policy epoch that the decision saw.
    pub epoch: u64,
}

/// The version of an instrument that a decision rests on.
pub struct Text {
    /// The version.
    pub version: Box<str>,
    /// Its content hash.
    pub content_hash: [u8; 32],
    /// What allows the purpose; empty where it knows no such purpose.
    pub legal_basis: Box<str>,
}

/// Decides whether the source may be asked.
///
/// # Errors
/// The question with the reason why it may not.
pub fn decide(request: ExchangeRequest, knowledge: &Knowledge<'_>) -> Result<Permit, Box<Refusal>> {
    let epoch = knowledge.epoch;
    let refuse = |request, denial, text| Err(Box::new(Refusal { request, denial, text, epoch }));
    let instrument = match in_force(&request, knowledge) {
        Ok(instrument) => instrument,
        Err(denial) => return refuse(request, denial, None),
    };
    match open(&request, instrument, knowledge.undeclared) {
        Ok((grant, narrowed)) => Ok(Permit { request, grant, narrowed, epoch }),
        Err(denial) => {
            let purpose = instrument.purpose(&request.purpose);
            let text = Text {
                version: instrument.version.clone(),
                content_hash: instrument.content_hash,
                legal_basis: purpose.map(|purpose| purpose.legal_basis.clone()).unwrap_or_default(),
            };
            refuse(request, denial, Some(text))
        }
    }
}

/// The version of the instrument that is in force, for a requester that it names.
fn in_force<'k>(request: &ExchangeRequest, knowledge: &Knowledge<'k>) -> Result<&'k Instrument, Denial> {
    let protocol =
        knowledge.catalogue.protocol(&request.protocol).ok_or(Denial::from(Reason::ProtocolUnknown))?;
    // Who is registered to answer or to audit only, does not ask, whatever an instrument says.
    if !request.caller.requester.has(Role::Requester) || !named(protocol, requester(request)) {
        return Err(Reason::RequesterNotParty.into());
    }
    protocol
        .in_force(knowledge.now)
        .map_err(|why| Denial::from(Reason::ProtocolNotInForce).citing(why.to_string()))
}

/// What it opens of the method, and the fields that are left where the caller asks for less.
fn open(
    request: &ExchangeRequest,
    instrument: &Instrument,
    undeclared: Undeclared,
) -> Result<(Arc<Grant>, Option<Narrowed>), Denial> {
    if instrument.purpose(&request.purpose).is_none() {
        return Err(Reason::PurposeUnknown.into());
    }
    let grant = instrument
        .grant(&request.purpose, &request.method.path)
        .ok_or(Denial::from(Reason::PurposeNotCovered))?;
    if !grant.is_recipient(requester(request)) {
        return Err(Denial::from(Reason::RequesterNotParty).citing(&*grant.article));
    }
    match undeclared(&grant.request, &request.body) {
        Ok(None) => {}
        Ok(Some(path)) => return Err(Denial::field(Reason::FieldsNotCovered, path).citing(&*grant.article)),
        Err(()) => return Err(Denial::from(Reason::RequestMalformed).because(NO_MESSAGE)),
    }
    let narrowed = match &request.fields {
        None => None,
        Some(fields) => Some(narrow(grant, fields)?),
    };
    Ok((Arc::clone(grant), narrowed))
}

fn requester(request: &ExchangeRequest) -> PartyKey {
    let (kbo, ovo) = request.caller.requester.key();
    PartyKey { kbo, ovo }
}

/// Whether any version names the requester. Where no version can be read, nobody can tell.
fn named(protocol: &Protocol, requester: PartyKey) -> bool {
    let versions = protocol.versions();
    versions.is_empty()
        || versions.iter().flat_map(|version| &version.parties).any(|party| party.key() == Some(requester))
}

fn narrow(grant: &Grant, fields: &[Box<str>]) -> Result<Narrowed, Denial> {
    if let Some(path) = fields.iter().find(|path| !grant.answer.covers(path)) {
        // As much of it as is a name of a field; the rest may be anything.
        let named = known_part(&grant.method.output, path);
        let field = if named.is_empty() { "sluis-fields" } else { named };
        return Err(Denial::field(Reason::FieldsNotCovered, field).citing(&*grant.article));
    }
    let answer = grant.answer.narrow(fields).map_err(|_| Denial::from(Reason::RequestMalformed))?;
    Ok(Narrowed { sheltered: Sheltered::of(&answer), answer })
}

impl Permit {
    /// The question.
    pub fn request(&self) -> &ExchangeRequest {
        &self.request
    }

    /// What the instrument opens.
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// The fields that may be released: the grant's, or fewer where the caller asked for less.
    pub fn answer(&self) -> &Trie {
        self.narrowed.as_ref().map_or(&self.grant.answer, |narrowed| &narrowed.answer)
    }

    /// What is left of them where the address is protected.
    pub fn sheltered(&self) -> &Sheltered {
        self.narrowed.as_ref().map_or(&self.grant.sheltered, |narrowed| &narrowed.sheltered)
    }

    /// True where the caller asked for less than the grant opens.
    pub fn narrowed(&self) -> bool {
        self.narrowed.is_some()
    }

    /// The policy epoch that the decision saw.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The question, where the source takes none now: nobody is asked.
    pub fn refused(self, denial: Denial) -> Refusal {
        let Self { request, grant, epoch, .. } = self;
        let text = Text {
            version: grant.version.clone(),
            content_hash: grant.content_hash,
            legal_basis: grant.legal_basis.clone(),
        };
        Refusal { request, denial, text: Some(text), epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn refused(request: ExchangeRequest, knowledge: &Knowledge<'_>) -> Option<Denial> {
        decide(request, knowledge).err().map(|refusal| refusal.denial)
    }

    #[test]
    fn what_is_not_declared_is_denied_each_with_its_reason() {
        use Reason::*;
        let attest = Some("person.name.last_names,person.civil_states.code");
        for (kbo, method, protocol, purpose, fields, expected) in [
            (LEUVEN, PERSON, "rr-leuven", "parking-offender", None, None),
            (OCMW, PERSON, "rr-leuven", "parking-offender", None, None),
            (LEUVEN, PERSON, "rr-leuven", "attest", attest, None),
            (OCMW, HOUSING, "housing-sandbox", "rent-subsidy-followup", None, None),
            (LEUVEN, PERSON, "unheard-of", "attest", None, Some(ProtocolUnknown)),
            (LEUVEN, PERSON, "rr-leuven", "marketing", None, Some(PurposeUnknown)),
            (LEUVEN, HOUSING, "rr-leuven", "attest", None, Some(PurposeNotCovered)),
            (LEUVEN, PERSON, "rr-leuven", "parking-offender", attest, Some(FieldsNotCovered)),
            (LEUVEN, PERSON, "rr-leuven", "attest", Some("person"), Some(FieldsNotCovered)),
            (LEUVEN, PERSON, "rr-leuven", "attest", Some("no.such"), Some(FieldsNotCovered)),
            (DIEST, PERSON, "rr-leuven", "attest", None, Some(RequesterNotParty)),
            (OCMW, HOUSING, "housing-sandbox", "dwelling-quality", None, Some(RequesterNotParty)),
            (DIEST, ISOLATION, "covid19-diest", "quarantine-enforcement", None, Some(ProtocolNotInForce)),
            (KORTRIJK, PERSON, "rr-28-2009", "library-members", None, Some(ProtocolNotInForce)),
        ] {
            let denial =
                refused(request(kbo, method, protocol, purpose, fields), &knowledge(&CATALOGUE, now()));
            assert_eq!(denial.map(|denial| denial.reason), expected, "{kbo} {protocol} {purpose} {fields:?}");
        }
    }

    #[test]
    fn who_is_not_registered_to_ask_does_not() {
        for (roles, expected) in [
            (&[Role::Requester][..], None),
            (&[Role::Auditor, Role::Requester], None),
            (&[Role::Auditor], Some(Reason::RequesterNotParty)),
            (&[Role::Source], Some(Reason::RequesterNotParty)),
            (&[], Some(Reason::RequesterNotParty)),
        ] {
            let ask = request(LEUVEN, PERSON, "rr-leuven", "attest", None);
            let ask = ExchangeRequest { caller: caller(LEUVEN, roles), ..ask };
            let denial = refused(ask, &knowledge(&CATALOGUE, now()));
            assert_eq!(denial.map(|denial| denial.reason), expected, "{roles:?}");
        }
    }

    #[test]
    fn a_request_may_hold_no_more_than_declared() {
        let ask = || request(LEUVEN, PERSON, "rr-leuven", "parking-offender", None);
        let undeclared =
            Knowledge { undeclared: |_, _| Ok(Some("language".into())), ..knowledge(&CATALOGUE, now()) };
        let denial = refused(ask(), &undeclared).unwrap();
        assert_eq!((denial.reason, denial.field.as_deref()), (Reason::FieldsNotCovered, Some("language")));
        assert_eq!(denial.article.as_deref(), Some("first purpose"));
        let garbage = Knowledge { undeclared: |_, _| Err(()), ..knowledge(&CATALOGUE, now()) };
        assert_eq!(refused(ask(), &garbage).unwrap().reason, Reason::RequestMalformed);
    }

    #[test]
    fn an_instrument_opens_within_its_days_only() {
        let quarantine = || request(DIEST, ISOLATION, "covid19-diest", "quarantine-enforcement", None);
        for (instant, open) in [
            ("2021-01-11T22:59:59Z", false),
            ("2021-01-11T23:00:00Z", true),
            ("2022-03-11T22:59:59Z", true),
            ("2022-03-11T23:00:00Z", false),
        ] {
            let denial = refused(quarantine(), &knowledge(&CATALOGUE, instant.parse().unwrap()));
            assert_eq!(denial.is_none(), open, "{instant}");
        }
    }

    #[test]
    fn a_permit_names_what_was_judged() {
        let permit = permit("parking-offender", Some("person.name.last_names"));
        assert!(permit.narrowed() && permit.epoch() == 7);
        assert!(permit.answer().covers("person.name.last_names"));
        assert!(!permit.answer().covers("person.main_residence.house_number"));
        assert_eq!(&*permit.grant().purpose, "parking-offender");
    }
}
