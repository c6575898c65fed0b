//! The commands, one a file: the only place that wires everything.

pub mod pki;
pub mod token;
