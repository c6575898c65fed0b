//! What is kept of an answer while it is read: fields for each open message, facts apart.

use bytes::Bytes;

use super::encode::{Piece, message};
use super::exception::{self, Exception, Failure};
use super::people::People;
use super::plan::{Action, Element, Plan, Target};
use super::status::Status;
use crate::domain::facts::Facts;
use crate::source::condition::Outcome;
use crate::source::{Retrieved, SourceError};

const INVALID: SourceError = SourceError::AnswerInvalid;

/// Fields and facts of one answer.
pub(super) struct Gathered<'a> {
    /// Fields collected for each open message. Slot 0 is the answer itself.
    slots: Vec<Vec<Piece>>,
    people: People<'a>,
    facts: Facts,
    status: Status,
    pub exceptions: Vec<Exception>,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(plan: &Plan, asked: &'a str) -> Self {
        Self {
            slots: vec![Vec::new(); plan.slots],
            people: People::new(asked),
            facts: Facts::default(),
            status: Status::default(),
            exceptions: Vec::new(),
        }
    }

    /// An element begins.
    pub(super) fn begin(&mut self, element: &Element) -> Result<(), SourceError> {
        // Of two protections, the end of one is not the end of the other.
        if element.protects && std::mem::replace(&mut self.facts.protected_address, true) {
            return Err(INVALID);
        }
        if let Some(scope) = element.scope {
            self.people.open(scope);
        }
        Ok(())
    }

    /// An element ends; the messages that it opened are whole.
    pub(super) fn end(&mut self, element: &Element, nil: bool) -> Result<(), SourceError> {
        if element.scope.is_some() {
            self.people.close();
        }
        for open in element.opens.iter().rev() {
            let Some(slot) = self.slots.get_mut(open.slot) else {
                continue;
            };
            let content = message(std::mem::take(slot));
            if !nil {
                let told = open.keep_empty || !content.is_empty();
                self.collect(&open.target, Piece::message(open.target.number, told.then_some(&content)))?;
            }
        }
        Ok(())
    }

    /// A text, and what it is.
    pub(super) fn act(&mut self, actions: &[Action], text: &str) -> Result<(), SourceError> {
        for action in actions {
            match action {
                Action::Emit(target, scalar) => {
                    let piece =
                        Piece::scalar(target.number, scalar, target.holds, text).map_err(|_| INVALID)?;
                    self.collect(target, piece)?;
                }
                Action::Subject => self.people.subject(text),
                Action::Party => self.people.party(text),
                Action::Protected => self.facts.protected_address = true,
                Action::ProtectedUntil => once(&mut self.facts.protected_until, text)?,
                Action::Status => once(&mut self.status.value, text)?,
                Action::StatusCode => once(&mut self.status.code, text)?,
                Action::StatusInformation => self.status.inform(text),
                Action::Replacement => self.status.replace(text),
            }
        }
        Ok(())
    }

    /// A second value of a field that has room for one is a fault of the answer, not a choice of ours; so is one of
    /// each of two fields that shut each other out.
    fn collect(&mut self, target: &Target, piece: Piece) -> Result<(), SourceError> {
        let slot = self.slots.get_mut(target.slot).ok_or(INVALID)?;
        let told = !piece.bytes.is_empty();
        let clash = |known: &Piece| {
            known.number == target.number
                || told && target.excludes.contains(&known.number) && !known.bytes.is_empty()
        };
        if target.is_single() && slot.iter().any(clash) {
            return Err(INVALID);
        }
        slot.push(piece);
        Ok(())
    }

    /// What the answer comes to. `content` tells whether it held any.
    pub(super) fn finish(mut self, content: bool, asked: &str) -> Result<Retrieved, Failure> {
        let outcome = exception::judge(&self.exceptions, &self.status, content)?;
        let replacement = exception::replacement(&self.exceptions, &self.status, asked);
        if outcome != Outcome::Content {
            // Where the platform filtered everything out, there is nothing to judge and nothing to release.
            let facts = Facts { replacement, ..Facts::default() };
            return Ok(Retrieved { answer: Bytes::new(), facts });
        }
        let answer = message(self.slots.first_mut().map(std::mem::take).unwrap_or_default());
        let unnamed = self.people.is_unnamed();
        let returned = self.people.returned(replacement.as_deref()).map_err(|_| INVALID)?;
        let facts = Facts { found: true, returned, unnamed, replacement, ..self.facts };
        Ok(Retrieved { answer: Bytes::from(answer), facts })
    }
}

/// Remembers a text that tells one thing; two that differ tell nothing.
fn once(known: &mut Option<Box<str>>, text: &str) -> Result<(), SourceError> {
    match known {
        _ if text.is_empty() => Ok(()),
        Some(known) if **known == *text => Ok(()),
        Some(_) => Err(INVALID),
        None => {
            *known = Some(text.into());
            Ok(())
        }
    }
}
