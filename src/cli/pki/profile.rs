//! The profiles in `certs/profiles.toml`.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{PkiError, days};

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// A system that asks
    Caller,
    /// A system that answers
    Source,
    /// Answers callers, asks sources
    Gateway,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profiles {
    backdated_minutes: i64,
    pub(super) authority: Lasting,
    pub(super) revocations: Lasting,
    caller: Leaf,
    source: Leaf,
    gateway: Leaf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lasting {
    pub(super) days: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leaf {
    pub(super) days: i64,
    pub(super) server: bool,
    pub(super) client: bool,
}

impl Profiles {
    pub(super) fn built_in() -> Result<Self, PkiError> {
        toml::from_str(include_str!("../../../certs/profiles.toml")).map_err(|_| PkiError::Profiles)
    }

    pub(super) fn leaf(&self, profile: Profile) -> &Leaf {
        match profile {
            Profile::Caller => &self.caller,
            Profile::Source => &self.source,
            Profile::Gateway => &self.gateway,
        }
    }

    /// From a little before now, for that many days.
    pub(super) fn validity(&self, lasting: i64, now: Timestamp) -> Result<(Timestamp, Timestamp), PkiError> {
        let from = now.checked_sub(SignedDuration::from_mins(self.backdated_minutes));
        let to = now.checked_add(days(lasting));
        Ok((from.map_err(|_| PkiError::Profiles)?, to.map_err(|_| PkiError::Profiles)?))
    }
}
