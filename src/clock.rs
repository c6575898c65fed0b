//! The one reader of the system clock. Everything else takes the time as an argument.

use jiff::Timestamp;

/// Now, to the microsecond.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
