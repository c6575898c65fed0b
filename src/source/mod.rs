//! Wires: each asks a source in the source's own protocol and seals what it brings back.
//! Only this module seals an answer; nothing here decides what may leave.

pub mod condition;
mod connection;
mod grpc;
pub mod guard;
pub mod magda;
mod planned;
pub mod signature;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

pub use condition::SourceError;
pub use connection::Connection;
pub use grpc::{FactProbes, GrpcSource};
pub use magda::MagdaSource;
pub use planned::Planned;

use self::guard::{Guard, Place, TurnedAway};
use crate::disclosure::{Asked, Withheld};
use crate::domain::facts::Facts;
use crate::domain::grant::Trie;
use crate::domain::instrument::Upstream;
use crate::domain::vocabulary::Method;
use crate::minimise::{self, Limits};

/// A question, as a wire needs it.
pub struct Question<'a> {
    /// What is asked.
    pub method: &'a Method,
    /// The request message, canonically encoded.
    pub body: &'a [u8],
    /// The fields that are granted; a wire need not read more than these and the facts.
    pub answer: &'a Trie,
    /// Where the facts stand, for a wire that passes bytes.
    pub facts: &'a FactProbes,
    /// Who the gateway is at the source, for this purpose. From the instrument, never from the caller.
    pub upstream: &'a Upstream,
    /// The entry of the question in the log: the source's own log can be laid beside ours.
    pub reference: Uuid,
    /// A fresh trace for the source (W3C trace context), whose trace id is the reference.
    pub traceparent: &'a str,
    /// When the question was received.
    pub asked_at: Timestamp,
}

/// What a wire brings back, before it is sealed.
pub struct Retrieved {
    /// A message of the method's output type; empty where nobody was found.
    pub answer: Bytes,
    /// What `settle` judges by.
    pub facts: Facts,
}

/// A source, by the wire that it speaks.
pub enum Wire {
    /// gRPC.
    Grpc(Box<GrpcSource>),
    /// MAGDA's SOAP 02.00.
    Magda(Box<Planned>),
}

/// The sources that a gateway can ask, by the name that the vocabulary gives them: each by its wire, and behind its guard.
#[derive(Default)]
pub struct Sources(HashMap<Box<str>, (Arc<Wire>, Arc<Guard>)>);

/// A question that got no answer.
pub struct Failed {
    /// The question; its entry is still open.
    pub asked: Asked,
    /// Why.
    pub error: SourceError,
}

impl Sources {
    /// Adds a source, or replaces the one of that name. The guard is one for all who ask this source.
    pub fn insert(&mut self, name: &str, wire: Arc<Wire>, guard: Arc<Guard>) {
        self.0.insert(name.into(), (wire, guard));
    }

    /// What stands before each.
    pub fn guards(&self) -> impl Iterator<Item = (&str, &Guard)> {
        self.0.iter().map(|(name, (_, guard))| (&**name, &**guard))
    }

    /// A place at a source, within `left`. Nobody learns of the question.
    ///
    /// # Errors
    /// Where the source takes no question now.
    pub async fn admit(&self, source: &str, left: Duration) -> Result<Place<'_>, TurnedAway> {
        match self.0.get(source) {
            Some((_, guard)) => guard.admit(left).await,
            None => Err(TurnedAway { error: SourceError::Down, after: None }),
        }
    }

    /// Asks the source, within `left`. The question is in the log: that is what `asked` proves. Where it is put again, it is the same
    /// question, under the same entry.
    ///
    /// # Errors
    /// The question with the reason why the source gave no answer.
    pub async fn retrieve(
        &self,
        asked: Asked,
        place: Place<'_>,
        facts: &FactProbes,
        left: Duration,
    ) -> Result<Withheld, Box<Failed>> {
        match self.ask(&asked, place, facts, left).await {
            Ok(Retrieved { answer, facts }) => Ok(Withheld::seal(asked, answer, facts)),
            Err(error) => Err(Box::new(Failed { asked, error })),
        }
    }

    async fn ask(
        &self,
        asked: &Asked,
        place: Place<'_>,
        facts: &FactProbes,
        left: Duration,
    ) -> Result<Retrieved, SourceError> {
        let permit = asked.permit();
        let request = permit.request();
        let reference = asked.receipt().entry_id;
        let traceparent = traceparent(reference);
        // The source is shown the declared fields in their one form: of two numbers only the one that was judged and
        // logged, and nothing that order, padding or repetition could say beside the values.
        let canonical = minimise::filter(&permit.grant().request, &request.body, &Limits::default())
            .map_err(|_| SourceError::Internal)?
            .bytes;
        let question = &Question {
            method: &request.method,
            body: &canonical,
            answer: permit.answer(),
            facts,
            upstream: &permit.grant().upstream,
            reference,
            traceparent: &traceparent,
            asked_at: request.asked_at,
        };
        // Configured no longer, since the place was taken.
        let Some((wire, _)) = self.0.get(&request.method.source) else { return Err(SourceError::Down) };
        let put = |left| async move {
            match &**wire {
                Wire::Grpc(source) => source.retrieve(question, left).await,
                Wire::Magda(source) => source.retrieve(permit, question, left).await,
            }
        };
        place.ask(request.method.manner, left, put).await
    }
}

/// A new trace whose id is the entry's id: nothing of the caller's own trace reaches the source.
fn traceparent(reference: Uuid) -> String {
    let (trace, (_, parent)) = (reference.as_u128(), reference.as_u64_pair());
    let mut text = String::with_capacity(55);
    // The parent id must not be zero; the low half of a UUIDv7 has its variant bits set.
    let _ = write!(text, "00-{trace:032x}-{parent:016x}-01");
    text
}
