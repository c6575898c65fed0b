//! The commands, one a file: the only place that wires everything.

pub mod output;
pub mod pki;
pub mod protocol;
pub mod token;
