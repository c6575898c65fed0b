//! The one door out. Each step of an exchange is a type with private fields and one constructor, so that what is
//! undeclared, unasked or unlogged has no type:
//!
//! [`Permit`] → [`Asked`] (the question is in the log) → [`Withheld`] (an answer, shown to nobody) → [`Settled`]
//! (judged and minimised) → [`Released`] (the disclosure is in the log). Or [`Refused`].
//!
//! What does not compile is shown in [`super`].

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::known::Known;
use super::log::{AppendError, Log, Receipt};
use super::record::RecordBuilder;
use super::seal::Draft;
use super::wording;
use crate::domain::catalogue::Catalogue;
use crate::domain::decide::Permit;
use crate::domain::facts::Facts;
use crate::domain::reason::{Denial, Reason};
use crate::domain::settle::{Verdict, settle};
use crate::minimise::{self, Filtered, Limits};

/// A question that is durably in the log. Dropped before its end is there as well, it closes its entry by what was to
/// be its end; as cancelled, where it had none yet.
#[must_use = "an open question must be answered or closed"]
pub struct Asked(Box<Open>);

struct Open {
    permit: Permit,
    receipt: Receipt,
    log: Arc<Log>,
    clock: fn() -> Timestamp,
    end: End,
}

/// How a question ends.
enum End {
    /// Nobody has said yet.
    Unknown,
    /// By this entry, which the log has not taken yet.
    Due(Draft),
    /// By an entry in the log.
    Logged,
}

/// One person's answer, shown to nobody.
#[must_use = "withheld data must be settled or dropped"]
pub struct Withheld {
    asked: Asked,
    answer: Bytes,
    facts: Facts,
}

/// One person's answer, judged at an instant and minimised, not yet in the log.
#[must_use = "settled data must be disclosed or dropped"]
pub struct Settled {
    withheld: Withheld,
    filtered: Filtered,
    /// The address is protected, and held back.
    sheltered: bool,
    epoch: u64,
    at: Timestamp,
}

/// One person's data whose disclosure is in the log: what may leave.
pub struct Released {
    message: Bytes,
    receipt: Receipt,
}

/// A refusal: in the log, or one of the closed list that cannot be. Only the log and that list make one, and what it
/// says cannot be changed after.
pub struct Refused {
    denial: Denial,
    about: Option<About>,
    damaged: Option<u64>,
    entry: Entry,
}

/// Published words that a refusal may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The instrument.
    pub protocol: Box<str>,
    /// The purpose under it.
    pub purpose: Box<str>,
}

enum Entry {
    Logged(Receipt),
    Unlogged,
}

/// Why a refusal cannot be in the log. Nothing else may go unlogged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlogged {
    /// The caller is nobody that the registry knows.
    Stranger,
    /// The same, and its certificate is revoked.
    StrangerRevoked,
    /// The log takes no entries.
    LogUnavailable,
    /// An auditor's question is in the log, and what it asks for is not what the log wrote.
    LogDamaged {
        /// The first entry in the way that is not.
        index: u64,
    },
}

/// An answer that may not be released, with its question.
pub struct Unsettled {
    /// The question; its entry is still open.
    pub asked: Asked,
    /// Why.
    pub denial: Denial,
}

/// Why settled data were not released.
pub enum Unreleased {
    /// The policy changed since: settle again under `epoch` or a later one.
    Stale {
        /// The answer.
        withheld: Box<Withheld>,
        /// The epoch that is in force.
        epoch: u64,
    },
    /// The log cannot take the entry: nothing leaves.
    Log(Box<Refused>),
}

impl Asked {
    /// What was permitted.
    pub fn permit(&self) -> &Permit {
        &self.0.permit
    }

    /// The question's place in the log.
    pub fn receipt(&self) -> &Receipt {
        &self.0.receipt
    }
}

impl Open {
    fn failed(&self, reason: Reason) -> Draft {
        wording::failed(&self.permit, &self.receipt, reason, (self.clock)())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let open = &*self.0;
        match &open.end {
            End::Unknown => open.log.close_later(&open.failed(Reason::Cancelled)),
            End::Due(draft) => open.log.close_later(draft),
            End::Logged => {}
        }
    }
}

impl Withheld {
    /// Sealed by a wire, and by nothing else.
    pub(crate) fn seal(asked: Asked, answer: Bytes, facts: Facts) -> Self {
        Self { asked, answer, facts }
    }

    /// Judges what only the answer or the moment tells, and minimises. Pure.
    ///
    /// # Errors
    /// Where nothing of it may leave.
    pub fn settle(self, catalogue: &Catalogue, epoch: u64, now: Timestamp) -> Result<Settled, Box<Unsettled>> {
        match self.judge(catalogue, now) {
            Ok((filtered, sheltered)) => Ok(Settled { withheld: self, filtered, sheltered, epoch, at: now }),
            Err(denial) => Err(Box::new(Unsettled { asked: self.asked, denial })),
        }
    }

    fn judge(&self, catalogue: &Catalogue, now: Timestamp) -> Result<(Filtered, bool), Denial> {
        let permit = self.asked.permit();
        let filter = |trie| {
            minimise::filter(trie, &self.answer, &Limits::default())
                .map_err(|_| Denial::from(Reason::SourceAnswerInvalid))
        };
        match settle(permit, &self.facts, catalogue, now)? {
            Verdict::Nobody => Ok((Filtered::nothing(), false)),
            Verdict::All => Ok((filter(permit.answer())?, false)),
            Verdict::WithoutAddress => Ok((filter(&permit.sheltered().answer)?, true)),
        }
    }

    /// The question.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The question alone; the answer is dropped.
    pub fn into_asked(self) -> Asked {
        self.asked
    }
}

impl Released {
    /// The message that may leave.
    pub fn into_message(self) -> Bytes {
        self.message
    }

    /// Its place in the log.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

impl Refused {
    /// A refusal that is not in the log.
    pub fn unlogged(why: Unlogged) -> Self {
        let reason = match why {
            Unlogged::Stranger => Reason::CallerNotRegistered,
            Unlogged::StrangerRevoked => Reason::CertificateRevoked,
            Unlogged::LogUnavailable => Reason::DisclosureLogUnavailable,
            Unlogged::LogDamaged { .. } => Reason::DisclosureLogDamaged,
        };
        let damaged = match why {
            Unlogged::LogDamaged { index } => Some(index),
            Unlogged::Stranger | Unlogged::StrangerRevoked | Unlogged::LogUnavailable => None,
        };
        Self { denial: reason.into(), about: None, damaged, entry: Entry::Unlogged }
    }

    /// Why.
    pub fn denial(&self) -> &Denial {
        &self.denial
    }

    /// The instrument and purpose that it speaks of, where both are published words.
    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    /// The entry of the log that is missing or altered, where that is why.
    pub fn damaged(&self) -> Option<u64> {
        self.damaged
    }

    /// Its place in the log, where it has one.
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.entry {
            Entry::Logged(receipt) => Some(receipt),
            Entry::Unlogged => None,
        }
    }
}

/// The disclosure log, as an exchange sees it.
#[derive(Clone)]
pub struct DisclosureLog {
    log: Arc<Log>,
    clock: fn() -> Timestamp,
}

impl DisclosureLog {
    /// The door before a log.
    pub fn new(log: Arc<Log>, clock: fn() -> Timestamp) -> Self {
        Self { log, clock }
    }

    /// The log behind the door.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Records the question, durably: from here on the source may learn of it.
    ///
    /// # Errors
    /// Where the log cannot take the entry. Nobody was asked.
    pub async fn ask(&self, permit: Permit) -> Result<Asked, Refused> {
        match self.log.append(wording::asked(&permit)).await {
            Ok(receipt) => {
                let Self { log, clock } = self.clone();
                Ok(Asked(Box::new(Open { permit, receipt, log, clock, end: End::Unknown })))
            }
            Err(_) => Err(Refused::unlogged(Unlogged::LogUnavailable)),
        }
    }

    /// Records the disclosure, then releases the data: the only way out.
    ///
    /// # Errors
    /// See [`Unreleased`].
    pub async fn disclose(&self, settled: Settled) -> Result<Released, Unreleased> {
        let Settled { mut withheld, filtered, sheltered, epoch, at } = settled;
        let open = &withheld.asked.0;
        let kept_back = if sheltered { &*open.permit.sheltered().withheld } else { &[] };
        let draft =
            wording::released(&open.permit, &open.receipt, &withheld.facts, &filtered, kept_back, epoch, at);
        match self.log.append(draft).await {
            Ok(receipt) => {
                withheld.asked.0.end = End::Logged;
                Ok(Released { message: filtered.bytes.into(), receipt })
            }
            Err(AppendError::Stale { epoch }) => Err(Unreleased::Stale { withheld: Box::new(withheld), epoch }),
            Err(_) => {
                // The caller is still there: it is the log that failed, and the entry says so once there is one.
                withheld.asked.0.end = End::Due(withheld.asked.0.failed(Reason::DisclosureLogUnavailable));
                Err(Unreleased::Log(Box::new(Refused::unlogged(Unlogged::LogUnavailable))))
            }
        }
    }

    /// Records that an answer may not be released.
    pub async fn deny(&self, asked: Asked, denial: Denial) -> Refused {
        let draft = wording::denied(asked.permit(), asked.receipt(), &denial, (self.clock)());
        self.close(asked, denial, draft).await
    }

    /// Records that the source gave no answer.
    pub async fn fail(&self, asked: Asked, reason: Reason) -> Refused {
        let draft = asked.0.failed(reason);
        self.close(asked, reason.into(), draft).await
    }

    /// Records a refusal before anyone was asked.
    pub async fn refuse(&self, known: &Known<'_>, denial: Denial) -> Refused {
        let draft = wording::refused(known, &denial, (self.clock)());
        let entry = self.log.append(draft).await;
        self.refused(entry, denial, known.about())
    }

    /// Records an auditor's question, before it is answered.
    ///
    /// # Errors
    /// Where the log cannot take the entry: nothing is shown.
    pub async fn audited<'a>(
        &self,
        known: &'a Known<'a>,
        describe: impl FnOnce(&mut RecordBuilder<'a>),
    ) -> Result<Receipt, AppendError> {
        self.log.append(wording::audited(known, describe)).await
    }

    async fn close(&self, mut asked: Asked, denial: Denial, draft: Draft) -> Refused {
        let request = asked.permit().request();
        let about = About { protocol: request.protocol.clone(), purpose: request.purpose.clone() };
        // Where the log fails now, or the caller goes away, the same entry follows without anyone waiting.
        asked.0.end = End::Due(draft.clone());
        let entry = self.log.append(draft).await;
        if entry.is_ok() {
            asked.0.end = End::Logged;
        }
        self.refused(entry, denial, Some(about))
    }

    #[allow(clippy::unused_self, reason = "a refusal is made by the log")]
    fn refused(&self, entry: Result<Receipt, AppendError>, denial: Denial, about: Option<About>) -> Refused {
        match entry {
            Ok(receipt) => Refused { denial, about, damaged: None, entry: Entry::Logged(receipt) },
            Err(_) => Refused::unlogged(Unlogged::LogUnavailable),
        }
    }
}
