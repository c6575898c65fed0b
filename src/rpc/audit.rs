//! `AuditService`: for keys that the registry names as auditors. Each question is an entry before it is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
use crate::domain::request::Caller;
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
        let began = Instant::now();
        let left = exchange::left(&head.headers, DEADLINE);
        let arrival = exchange::arrival(at, LIST_DISCLOSURES, &head.headers, left);
        let message = session.receive(body, request_bytes, left);
        let judged = self.judge(&session.peer, &arrival, message).await;
        let answered = async {
            let (caller, question) = judged?;
            self.answer(&caller, &arrival, question).await
        };
        match tokio::time::timeout(left.saturating_sub(began.elapsed()), answered).await {
            Ok(Ok((page, receipt))) => exchange::answer(&page.encode_to_vec(), &receipt),
            Ok(Err(refused)) => exchange::refusal(&refused),
            Err(_) => exchange::refusal(&Refused::unlogged(Unlogged::LogUnavailable)),
        }
    }

    /// Who asks, and what: judged before the message is received, and after it under the policy of then.
    async fn judge(
        &self,
        peer: &PeerCertificate,
        arrival: &Arrival<'_>,
        message: impl Future<Output = Result<Bytes, Denial>>,
    ) -> Result<(Caller, Question), Refused> {
        let caller = self.auditor(peer, arrival).await?;
        let message = message.await;
        let caller = if *self.gateway.policy.load().registry.hash() == caller.registry {
            caller
        } else {
            self.auditor(peer, arrival).await?
        };
        match message.and_then(|message| question(&message).map_err(Denial::from)) {
            Ok(question) => Ok((caller, question)),
            Err(denial) => {
                let known = Known::of_caller(&caller, arrival.at, arrival.path, &arrival.metadata);
                Err(self.gateway.log.refuse(&known, denial).await)
            }
        }
    }

    /// The caller; who is no auditor is told so, whatever it would send.
    async fn auditor(&self, peer: &PeerCertificate, arrival: &Arrival<'_>) -> Result<Caller, Refused> {
        let policy = self.gateway.policy.load_full();
        let caller = self.gateway.identify(&policy, peer, arrival).await?;
        if caller.is_auditor() {
            return Ok(caller);
        }
        let known = Known::of_caller(&caller, arrival.at, arrival.path, &arrival.metadata);
        Err(self.gateway.log.refuse(&known, Reason::AuditorOnly.into()).await)
    }

    async fn answer(
        &self,
        caller: &Caller,
        arrival: &Arrival<'_>,
        question: Question,
    ) -> Result<(ListDisclosuresResponse, Receipt), Refused> {
        let known = Known::of_caller(caller, arrival.at, arrival.path, &arrival.metadata);
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
