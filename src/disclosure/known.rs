//! What is known of a call that is refused: as much as was read before it failed, and nothing that was not checked.

use jiff::Timestamp;

use super::door::About;
use crate::domain::decide::{Refusal, Text};
use crate::domain::party::Organisation;
use crate::domain::request::{Caller, Metadata, is_reference};
use crate::domain::subject::holds_insz;
use crate::domain::vocabulary::Method;

/// A known organisation, before its end user is known.
pub struct Party<'a> {
    /// The organisation that the key is registered for.
    pub organisation: &'a Organisation,
    /// The system that the key is registered for.
    pub system: &'a str,
    /// SHA-256 of the public key.
    pub key: &'a [u8; 32],
    /// Hash of the registry that says so.
    pub registry: &'a [u8; 32],
}

/// What a refusal's entry can say.
#[derive(Default)]
pub struct Known<'a> {
    pub(super) asked_at: Timestamp,
    pub(super) requester: &'a str,
    pub(super) processor: &'a str,
    pub(super) system: &'a str,
    pub(super) key: &'a [u8],
    pub(super) end_user: &'a str,
    pub(super) asserted_by: &'a str,
    pub(super) registry: &'a [u8],
    pub(super) method: &'a str,
    pub(super) of_method: Option<&'a Method>,
    pub(super) protocol: &'a str,
    pub(super) purpose: &'a str,
    pub(super) case: &'a str,
    pub(super) subject: &'a str,
    pub(super) fields: Option<&'a [Box<str>]>,
    pub(super) request_id: &'a str,
    pub(super) trace_id: &'a str,
    pub(super) digest: &'a [u8],
    pub(super) text: Option<&'a Text>,
    pub(super) epoch: Option<u64>,
    /// Protocol and purpose are published words.
    published: bool,
}

impl<'a> Known<'a> {
    /// Of a call whose sender's key is known, but not who stands behind it.
    pub fn of_party(party: &Party<'a>, at: Timestamp, path: &'a str, metadata: &'a Metadata) -> Self {
        Self {
            requester: &party.organisation.reference,
            system: party.system,
            key: party.key,
            registry: party.registry,
            ..Self::of_metadata(at, path, metadata)
        }
    }

    /// Of a call that could not be read.
    pub fn of_caller(caller: &'a Caller, at: Timestamp, path: &'a str, metadata: &'a Metadata) -> Self {
        Self::of_metadata(at, path, metadata).by(caller)
    }

    /// The same, of a method that is served, with the digest of the message where there was one.
    #[must_use]
    pub fn asking(self, method: Option<&'a Method>, digest: Option<&'a [u8; 32]>) -> Self {
        Self { of_method: method, digest: digest.map(<[u8; 32]>::as_slice).unwrap_or_default(), ..self }
    }

    /// Of a question that was decided against.
    pub fn of_refusal(refusal: &'a Refusal, published: bool) -> Self {
        let Refusal { request, text, epoch, .. } = refusal;
        Self {
            text: text.as_ref(),
            epoch: Some(*epoch),
            asked_at: request.asked_at,
            method: &request.method.path,
            of_method: Some(&request.method),
            protocol: &request.protocol,
            purpose: &request.purpose,
            case: request.case.as_str(),
            subject: request.subject.as_str(),
            fields: request.fields.as_deref(),
            request_id: request.request_id.as_deref().unwrap_or_default(),
            trace_id: request.trace_id.as_deref().unwrap_or_default(),
            digest: &request.digest,
            published,
            ..Self::default()
        }
        .by(&request.caller)
    }

    fn by(self, caller: &'a Caller) -> Self {
        Self {
            requester: &caller.requester.reference,
            processor: caller.processor.as_ref().map_or("", |processor| &processor.reference),
            system: caller.system.as_str(),
            key: &caller.key,
            end_user: &caller.end_user,
            asserted_by: &caller.asserted_by,
            registry: &caller.registry,
            ..self
        }
    }

    /// Metadata that reads as references; the rest is left out, so that nobody writes what they like into the log.
    fn of_metadata(asked_at: Timestamp, path: &'a str, metadata: &'a Metadata) -> Self {
        let today = asked_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let reference = |text: &'a Option<Box<str>>| {
            text.as_deref().filter(|text| is_reference(text) && !holds_insz(text, today)).unwrap_or_default()
        };
        let method = if path.len() <= 256 && path.is_ascii() && !holds_insz(path, today) { path } else { "" };
        Self {
            asked_at,
            method,
            protocol: reference(&metadata.protocol),
            purpose: reference(&metadata.purpose),
            case: reference(&metadata.case),
            request_id: reference(&metadata.request_id),
            trace_id: metadata.trace_id.as_deref().unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The published words that the refusal may repeat.
    pub(super) fn about(&self) -> Option<About> {
        self.published.then(|| About { protocol: self.protocol.into(), purpose: self.purpose.into() })
    }
}
