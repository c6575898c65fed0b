//! `AuditService`: for keys that the registry names as auditors. Each question is an entry before it is answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message as _;

use super::exchange::{self, Body, Session};
use crate::audit::{Ledger, Question, list, present};
use crate::disclosure::read::ReadError;
use crate::disclosure::{Known, Receipt, Refused, Unlogged};
use crate::domain::causes::causes;
use crate::domain::reason::{Denial, Reason};
use crate::gateway::{Arrival, Gateway};
use crate::identity::certificate::PeerCertificate;
use crate::proto::audit::{ListDisclosuresRequest, ListDisclosuresResponse};

/// Path of the one method.
pub const LIST_DISCLOSURES: &str = "/sluis.audit.v1.AuditService/ListDisclosures";

/// How long an auditor's question may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// Serves auditors.
#[derive(Clone)]
pub struct Audit {
    gateway: Arc<Gateway>,
    ledger: Arc<dyn Ledger>,
}

impl Audit {
    /// A service on this log.
    pub fn new(gateway: Arc<Gateway>, ledger: Arc<dyn Ledger>) -> Self {
        Self { gateway, ledger }
    }

    /// Serves one question of at most `request_bytes` bytes.
    pub async fn serve(
        &self,
        session: &Session,
        request: Request<Incoming>,
        request_bytes: usize,
    ) -> Response<Body> {
        let at = (self.gateway.clock)();
        let (head, body) = request.into_parts();
        let left = exchange::left(&head.headers, DEADLINE);
        let arrival = exchange::arrival(at, LIST_DISCLOSURES, &head.headers, left);
        let message = session.receive(body, request_bytes, left);
        match tokio::time::timeout(left, self.answer(&session.peer, arrival, message)).await {
            Ok(Ok((page, receipt))) => exchange::answer(&page.encode_to_vec(), &receipt),
            Ok(Err(refused)) => exchange::refusal(&refused),
            Err(_) => exchange::refusal(&Refused::unlogged(Unlogged::LogUnavailable)),
        }
    }

    async fn answer(
        &self,
        peer: &PeerCertificate,
        arrival: Arrival<'_>,
        message: impl Future<Output = Result<Bytes, Denial>>,
    ) -> Result<(ListDisclosuresResponse, Receipt), Refused> {
        let policy = self.gateway.policy.load_full();
        let caller = self.gateway.identify(&policy, peer, &arrival).await?;
        let known = Known::of_caller(&caller, arrival.at, arrival.path, &arrival.metadata);
        // Who is no auditor is told so, whatever it would send.
        let asked = if caller.is_auditor() { message.await } else { Err(Reason::AuditorOnly.into()) };
        let question = match asked.and_then(|message| question(&message).map_err(Denial::from)) {
            Ok(question) => question,
            Err(denial) => return Err(self.gateway.log.refuse(&known, denial).await),
        };
        let mut names = String::new();
        let written = self.gateway.log.audited(&known, |record| question.describe(record, &mut names)).await;
        let receipt = written.map_err(|_| Refused::unlogged(Unlogged::LogUnavailable))?;
        let page = list(&*self.ledger, &question).await.map_err(|error| {
            tracing::error!(error = causes(&error), "the log cannot be read for an auditor");
            Refused::unlogged(match error {
                ReadError::Fault(fault) => Unlogged::LogDamaged { index: fault.index },
                ReadError::Store(_) => Unlogged::LogUnavailable,
            })
        })?;
        let disclosures = page.entries.iter().map(present).collect();
        let response = ListDisclosuresResponse { disclosures, next_page_token: page.next, log_size: page.size };
        Ok((response, receipt))
    }
}

fn question(message: &Bytes) -> Result<Question, Reason> {
    let request = ListDisclosuresRequest::decode(message.clone()).map_err(|_| Reason::RequestMalformed)?;
    Question::parse(&request).map_err(|_| Reason::RequestMalformed)
}
