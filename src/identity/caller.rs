//! Who calls: the registered key names the organisation and its system, the token the end user.

use std::sync::Arc;

use jiff::Timestamp;

use super::certificate::PeerCertificate;
use super::registry::{Registry, Stranger, System};
use super::token::TokenVerifier;
use crate::domain::party::{Organisation, OrganisationId};
use crate::domain::reason::{Denial, Reason};
use crate::domain::request::Caller;

/// What a caller shows with each call.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The certificate of the connection.
    pub peer: &'a PeerCertificate,
    /// The bearer token.
    pub bearer: Option<&'a str>,
    /// The controller on whose behalf it asks, where it is a processor.
    pub on_behalf_of: Option<&'a str>,
    /// The purpose that it names.
    pub purpose: Option<&'a str>,
    /// The case that it names.
    pub case: Option<&'a str>,
}

/// Why a caller is not known, and what is known of it all the same.
pub struct Unidentified {
    /// Why.
    pub denial: Denial,
    /// The system whose key it is. `None`: a stranger.
    pub system: Option<Arc<System>>,
}

/// Identifies the caller of one call.
///
/// # Errors
/// [`Unidentified`]; strangers are told no more than that they are.
pub fn identify(
    registry: &Registry,
    tokens: &TokenVerifier,
    shown: Shown<'_>,
    now: Timestamp,
) -> Result<Caller, Unidentified> {
    let Shown { peer, bearer, on_behalf_of, purpose, case } = shown;
    let system = registry.caller(peer, now).map_err(|stranger| {
        let reason = match stranger {
            Stranger::Revoked | Stranger::StaleRevocations => Reason::CertificateRevoked,
            Stranger::NotRegistered | Stranger::Expired | Stranger::UnknownIssuer => {
                Reason::CallerNotRegistered
            }
        };
        let denial = Denial::from(reason).because(stranger.cause());
        Unidentified { denial, system: registry.system(peer.key()) }
    })?;
    let known = |denial| Unidentified { denial, system: Some(Arc::clone(&system)) };
    let rejected = |cause| known(Denial::from(Reason::TokenRejected).because(cause));
    let token = bearer.ok_or_else(|| rejected("there is no bearer token"))?;
    let end_user = tokens
        .verify(token, peer, &system.organisation, registry, now)
        .map_err(|error| rejected(error.cause()))?;
    // A token that its issuer made for one purpose or case is good for no other.
    let other = |asserted: Option<&str>, named| asserted.is_some() && asserted != named;
    if other(end_user.purpose(), purpose) || other(end_user.case(), case) {
        return Err(rejected("the token was made for another purpose or case"));
    }
    let (requester, processor) = parties(&system, on_behalf_of).ok_or_else(|| {
        let denial = Denial::field(Reason::RequesterNotParty, "sluis-on-behalf-of");
        known(denial.because("the registry does not name your system as processor of that organisation"))
    })?;
    Ok(Caller {
        requester,
        processor,
        system: system.name.clone(),
        key: *peer.key().as_bytes(),
        end_user: Arc::clone(end_user.id()),
        asserted_by: Arc::clone(end_user.asserted_by()),
        registry: *registry.hash(),
    })
}

/// The controller whose right decides, and the processor that acts for it.
fn parties(
    system: &System,
    on_behalf_of: Option<&str>,
) -> Option<(Arc<Organisation>, Option<Arc<Organisation>>)> {
    let Some(controller) = on_behalf_of else {
        return Some((Arc::clone(&system.organisation), None));
    };
    let controller: OrganisationId = controller.parse().ok()?;
    if controller == system.organisation.id {
        return Some((Arc::clone(&system.organisation), None));
    }
    let acts_for = system.acts_for.iter().find(|organisation| organisation.id == controller)?;
    Some((Arc::clone(acts_for), Some(Arc::clone(&system.organisation))))
}
