//! Wires: each asks a source in the source's own protocol and brings back the granted fields of its answer.

pub mod magda;

use bytes::Bytes;

use crate::domain::facts::Facts;

/// What a wire brings back, before it is sealed.
pub struct Retrieved {
    /// A message of the method's output type; empty where nobody was found.
    pub answer: Bytes,
    /// What `settle` judges by.
    pub facts: Facts,
}

/// Why a source gave no answer. Holds nothing that the source wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// It cannot be reached, or says that it is down.
    Unavailable,
    /// It did not answer in time.
    TooSlow,
    /// It takes no more questions now.
    Throttled,
    /// It refuses the gateway.
    Refused,
    /// It does not know the person as a client of the requester.
    SubjectNotRegistered,
    /// Its answer is larger than the gateway takes.
    AnswerTooLarge,
    /// Its answer cannot be read.
    AnswerInvalid,
    /// The question could not be put.
    Internal,
}
