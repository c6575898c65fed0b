//! `AuditService`: for keys that the registry names as auditors. Each question is an entry before it is answered.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::exchange::arrival;
use super::status::status;
use crate::audit::{Ledger, Question, list, present};
use crate::disclosure::{Known, Refused, Unlogged};
use crate::domain::party::Role;
use crate::domain::reason::Reason;
use crate::gateway::Gateway;
use crate::identity::certificate::PeerCertificate;
use crate::proto::audit::audit_service_server::AuditService;
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

    async fn answer(
        &self,
        request: Request<ListDisclosuresRequest>,
    ) -> Result<ListDisclosuresResponse, Refused> {
        let stranger = || Refused::unlogged(Unlogged::Stranger(Reason::CallerNotRegistered));
        let peer = request.extensions().get::<Arc<PeerCertificate>>().cloned().ok_or_else(stranger)?;
        let (metadata, _, message) = request.into_parts();
        let headers = metadata.into_headers();
        let at = (self.gateway.clock)();
        let arrival = arrival(at, LIST_DISCLOSURES, &headers, Ok(bytes::Bytes::new()), DEADLINE);

        let policy = self.gateway.policy.load_full();
        let caller = self.gateway.identify(&policy, &peer, &arrival).await?;
        let known = Known::of_caller(&caller, at, arrival.path, &arrival.metadata);
        if !caller.requester.has(Role::Auditor) {
            return Err(self.gateway.log.refuse(&known, Reason::AuditorOnly.into()).await);
        }
        let Ok(question) = Question::parse(&message) else {
            return Err(self.gateway.log.refuse(&known, Reason::RequestMalformed.into()).await);
        };
        let mut names = String::new();
        let written = self.gateway.log.audited(&known, |record| question.describe(record, &mut names)).await;
        written.map_err(|_| Refused::unlogged(Unlogged::LogUnavailable))?;
        let page = list(&*self.ledger, &question).await.map_err(|error| {
            tracing::error!(%error, "the log cannot be read for an auditor");
            Refused::unlogged(Unlogged::LogUnavailable)
        })?;
        Ok(ListDisclosuresResponse {
            disclosures: page.entries.iter().map(present).collect(),
            next_page_token: page.next,
            log_size: page.size,
        })
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn list_disclosures(
        &self,
        request: Request<ListDisclosuresRequest>,
    ) -> Result<Response<ListDisclosuresResponse>, Status> {
        match tokio::time::timeout(DEADLINE, self.answer(request)).await {
            Ok(Ok(response)) => Ok(Response::new(response)),
            Ok(Err(refused)) => Err(status(&refused)),
            Err(_) => Err(status(&Refused::unlogged(Unlogged::LogUnavailable))),
        }
    }
}
