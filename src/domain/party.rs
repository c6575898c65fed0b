//! Who takes part: organisations, by KBO number and OVO code, and their systems.
//!
//! A KBO number alone does not tell an organisation: all Flemish agencies without legal
//! personality share 0316.380.841, and there the OVO code tells them apart. A city and its
//! OCMW have two numbers: they are two controllers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Number of an enterprise in the Crossroads Bank for Enterprises (KBO): ten digits, of which the
/// last two are 97 minus the first eight modulo 97. Written without dots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kbo(u64);

impl Kbo {
    /// The number that all Flemish agencies without legal personality share.
    pub const FLEMISH_COMMUNITY: Self = Self(316_380_841);

    /// Whether the number is known to stand for many organisations, so that an OVO code is needed.
    pub fn is_shared(self) -> bool {
        self == Self::FLEMISH_COMMUNITY
    }
}

impl FromStr for Kbo {
    type Err = PartyError;

    fn from_str(text: &str) -> Result<Self, PartyError> {
        // The first digit is 0 or 1 (royal decree of 24 June 2003).
        let shaped = text.len() == 10 && text.starts_with(['0', '1']);
        if !shaped || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PartyError::Kbo);
        }
        let number: u64 = text.parse().map_err(|_| PartyError::Kbo)?;
        if 97 - (number / 100) % 97 != number % 100 {
            return Err(PartyError::KboCheck);
        }
        Ok(Self(number))
    }
}

impl fmt::Display for Kbo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// Code of a Flemish organisation or unit in the organisation register (Wegwijs): `OVO` and six
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OvoCode(u32);

impl FromStr for OvoCode {
    type Err = PartyError;

    fn from_str(text: &str) -> Result<Self, PartyError> {
        let digits = text.strip_prefix("OVO").ok_or(PartyError::Ovo)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PartyError::Ovo);
        }
        digits.parse().map(Self).map_err(|_| PartyError::Ovo)
    }
}

impl fmt::Display for OvoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OVO{:06}", self.0)
    }
}

/// The name by which configuration and instruments mean an organisation: `[a-z0-9-]{1,64}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganisationId(Arc<str>);

/// The name of a system within its organisation: `[a-z0-9-]{1,64}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SystemName(Arc<str>);

fn slug(text: &str) -> Option<Arc<str>> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.into())
}

impl FromStr for OrganisationId {
    type Err = PartyError;

    fn from_str(text: &str) -> Result<Self, PartyError> {
        slug(text).map(Self).ok_or(PartyError::OrganisationId)
    }
}

impl FromStr for SystemName {
    type Err = PartyError;

    fn from_str(text: &str) -> Result<Self, PartyError> {
        slug(text).map(Self).ok_or(PartyError::SystemName)
    }
}

impl OrganisationId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SystemName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrganisationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SystemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! text_form {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
        impl TryFrom<String> for $name {
            type Error = PartyError;
            fn try_from(text: String) -> Result<Self, PartyError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}
text_form! { Kbo OvoCode OrganisationId SystemName }

/// What an organisation may be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asks for data, under an instrument.
    Requester,
    /// Answers.
    Source,
    /// Questions the disclosure log.
    Auditor,
}

/// An organisation. Its identity is [`Organisation::key`]; `id` is how our own files mean it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The name in configuration and instruments.
    pub id: OrganisationId,
    /// The name for people.
    pub name: Arc<str>,
    /// Enterprise number.
    pub kbo: Kbo,
    /// Tells it apart where others share the enterprise number.
    pub ovo: Option<OvoCode>,
    /// What it may be.
    pub roles: Box<[Role]>,
    /// What identifies it, as text: the KBO number, with `/` and the OVO code where it has one.
    pub reference: Box<str>,
}

impl Organisation {
    /// An organisation, by what identifies it.
    pub fn new(id: OrganisationId, name: &str, kbo: Kbo, ovo: Option<OvoCode>, roles: &[Role]) -> Self {
        let reference = ovo.map_or_else(|| kbo.to_string(), |ovo| format!("{kbo}/{ovo}"));
        Self { id, name: name.into(), kbo, ovo, roles: roles.into(), reference: reference.into() }
    }

    /// What identifies it: KBO number plus OVO code.
    pub fn key(&self) -> (Kbo, Option<OvoCode>) {
        (self.kbo, self.ovo)
    }

    /// Whether it may be this.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// Why a text does not name a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartyError {
    /// Not ten digits, the first 0 or 1.
    Kbo,
    /// The last two digits do not fit the others.
    KboCheck,
    /// Not `OVO` and six digits.
    Ovo,
    /// Not a name for an organisation.
    OrganisationId,
    /// Not a name for a system.
    SystemName,
}

impl fmt::Display for PartyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kbo => "a KBO number is ten digits without dots, the first 0 or 1, in quotes",
            Self::KboCheck => "the check digits of the KBO number are wrong: look for a typing error",
            Self::Ovo => "an OVO code is `OVO` and six digits",
            Self::OrganisationId => "an organisation's id is 1 to 64 of a-z, 0-9 and `-`",
            Self::SystemName => "a system's name is 1 to 64 of a-z, 0-9 and `-`",
        })
    }
}

impl std::error::Error for PartyError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kbo_numbers_hold_their_check_digits() {
        for good in ["0207521503", "0316380841", "0207494678", "0267360011"] {
            assert_eq!(good.parse::<Kbo>().unwrap().to_string(), good);
        }
        for (bad, why) in [
            ("0207521504", PartyError::KboCheck),
            ("0207521530", PartyError::KboCheck),
            ("0207.521.503", PartyError::Kbo),
            ("207521503", PartyError::Kbo),
            ("BE0207521503", PartyError::Kbo),
            ("2207521503", PartyError::Kbo),
            ("+207521503", PartyError::Kbo),
            ("", PartyError::Kbo),
        ] {
            assert_eq!(bad.parse::<Kbo>(), Err(why), "{bad}");
        }
        assert!(Kbo::FLEMISH_COMMUNITY.is_shared());
        assert_eq!(Kbo::FLEMISH_COMMUNITY.to_string(), "0316380841");
    }

    #[test]
    fn codes_and_names_are_strict() {
        assert_eq!("OVO002949".parse::<OvoCode>().unwrap().to_string(), "OVO002949");
        for bad in ["OVO2949", "ovo002949", "OVO00294a", "OVO+02949", "OVO0029490"] {
            assert_eq!(bad.parse::<OvoCode>(), Err(PartyError::Ovo), "{bad}");
        }
        let long = "a".repeat(65);
        for bad in ["", "Stad", "a b", "a/b", "..", "é", long.as_str()] {
            assert_eq!(bad.parse::<OrganisationId>(), Err(PartyError::OrganisationId), "{bad}");
            assert_eq!(bad.parse::<SystemName>(), Err(PartyError::SystemName), "{bad}");
        }
        assert_eq!("stad-leuven".parse::<OrganisationId>().unwrap().as_str(), "stad-leuven");
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_found(base in 0_u64..20_000_000, at in 1_usize..10, by in 1_u8..10) {
            let good = format!("{base:08}{:02}", 97 - base % 97);
            prop_assert!(good.parse::<Kbo>().is_ok());
            let mut digits = good.into_bytes();
            digits[at] = (digits[at] - b'0' + by) % 10 + b'0';
            prop_assert!(String::from_utf8(digits).unwrap().parse::<Kbo>().is_err());
        }
    }
}
