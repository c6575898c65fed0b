//! The disclosure log: what leaves, and what was asked, is written down before it happens, in a
//! tree (RFC 6962) that can be checked without trusting the gateway's database.
//!
//! Invariant: an entry is acknowledged only when it is durable and under the head. Nobody without
//! the log's keys can alter, drop, reorder or insert entries unnoticed.
//!
//! [`DisclosureLog`] is the one door out of an exchange: [`Asked`], [`Withheld`], [`Settled`], [`Released`], [`Refused`].
//! Behind it [`log::Log`] appends, [`read::Reader`] reads, [`verify::verify`] recomputes everything.

pub mod checkpoint;
pub mod commitment;
mod door;
pub mod entry;
#[cfg(test)]
mod golden;
pub mod high_water;
pub mod keys;
mod known;
pub mod log;
pub mod merkle;
pub mod months;
mod published;
pub mod read;
pub mod record;
mod recover;
pub mod seal;
mod sequencer;
mod short;
pub mod store;
pub mod verify;
pub mod walk;
mod wording;

pub use door::{
    About, Asked, DisclosureLog, Refused, Released, Settled, Unlogged, Unreleased, Unsettled, Withheld,
};
pub use known::{Known, Party};
pub use log::{Log, Receipt};
