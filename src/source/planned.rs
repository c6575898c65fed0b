//! A MAGDA source with the plans by which its answers are read: one for each grant, compiled when it is first used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::magda::{Envelope, MagdaSource, Plan};
use super::{Question, Retrieved, SourceError};
use crate::domain::decide::Permit;

/// Grants, over all versions of all instruments, whose plans are kept. More than a catalogue has.
const PLANS: usize = 1024;

/// The instrument's content, the purpose under it, and the method. The content pins the method's descriptors: a plan is
/// found again only for the descriptors that it was made of, however often they are reloaded.
type GrantKey = ([u8; 32], Box<str>, Box<str>);

/// A source that is asked over MAGDA.
pub struct Planned {
    source: MagdaSource,
    plans: Mutex<HashMap<GrantKey, Arc<Plan>>>,
}

impl Planned {
    /// A source without any plan yet.
    pub fn new(source: MagdaSource) -> Self {
        Self { source, plans: Mutex::new(HashMap::new()) }
    }

    /// Asks, and reads what the permit opens and the facts: nothing else of the answer is decoded.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub(super) async fn retrieve(
        &self,
        permit: &Permit,
        question: &Question<'_>,
        left: Duration,
    ) -> Result<Retrieved, SourceError> {
        let plan = self.plan(permit)?;
        let Question { method, body, answer, upstream, reference, asked_at, .. } = *question;
        let envelope = Envelope::write(method, body, answer, upstream, reference, asked_at)?;
        self.source.retrieve(&envelope, &plan, left, question.traceparent).await.map_err(|failure| {
            if let Some(code) = &failure.code {
                tracing::info!(%code, source = %method.source, "the source gave no answer");
            }
            failure.error
        })
    }

    fn plan(&self, permit: &Permit) -> Result<Arc<Plan>, SourceError> {
        let grant = permit.grant();
        let compile = || Plan::compile(&grant.method, permit.answer()).map_err(|_| SourceError::Internal);
        if permit.narrowed() {
            return compile().map(Arc::new);
        }
        let key = (grant.content_hash, grant.purpose.clone(), grant.method.path.clone());
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(compile()?);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert(key, Arc::clone(&plan));
        Ok(plan)
    }
}
