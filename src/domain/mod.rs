//! The words of the field. Pure: no clock, no IO, no async.

pub mod party;
