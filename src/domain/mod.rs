//! What is known and decided without clock, input or output.

pub mod grant;
