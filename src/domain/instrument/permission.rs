//! What a flow may show apart from ordinary data: each kind needs its own word.

use crate::domain::vocabulary::{FieldRule, Sensitivity};

/// One word of a flow's `permissions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Permission {
    /// Data about others than the data subject.
    ThirdPersons,
    /// Data about the past.
    History,
    /// Text that may say anything about anyone.
    FreeText,
    /// Pictures of persons.
    Photos,
    /// Special categories (GDPR art. 9).
    SpecialCategories,
    /// Judicial data (GDPR art. 10).
    Judicial,
    /// An address that is protected, and that it is.
    ProtectedAddress,
    /// Addresses of a source that does not say which of them are protected.
    UnflaggedAddress,
}

impl Permission {
    /// The words of the file format.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("third_persons", Self::ThirdPersons),
        ("history", Self::History),
        ("free_text", Self::FreeText),
        ("photos", Self::Photos),
        ("special_categories", Self::SpecialCategories),
        ("judicial", Self::Judicial),
        ("protected_address", Self::ProtectedAddress),
        ("unflagged_address", Self::UnflaggedAddress),
    ];

    /// The word of the file format.
    pub fn name(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, one)| *one == self);
        found.map_or("", |(word, _)| word)
    }

    /// Whether the purpose must name the exception that allows it (GDPR art. 9(2), art. 10).
    pub(super) fn needs_special_ground(self) -> bool {
        matches!(self, Self::SpecialCategories | Self::Judicial)
    }
}

/// The permissions of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Whether it is granted.
    pub fn contains(self, one: Permission) -> bool {
        self.0 & Self::from(one).0 != 0
    }

    /// Those that are granted, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        let all = Permission::WORDS.into_iter().map(|(_, one)| one);
        all.filter(move |one| self.contains(*one))
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, one: Permission) -> Self {
        Self(self.0 | Self::from(one).0)
    }
}

impl From<Permission> for Permissions {
    fn from(one: Permission) -> Self {
        Self(1 << one as u8)
    }
}

/// What a field needs, whatever its source. (Addresses depend on what else the source says.)
pub(super) fn needed(rule: &FieldRule) -> Permissions {
    let by_sensitivity = match rule.sensitivity {
        Sensitivity::Ordinary | Sensitivity::Identifier | Sensitivity::Address => None,
        Sensitivity::ProtectedAddress => Some(Permission::ProtectedAddress),
        Sensitivity::Special => Some(Permission::SpecialCategories),
        Sensitivity::Judicial => Some(Permission::Judicial),
        Sensitivity::Photo => Some(Permission::Photos),
        Sensitivity::FreeText => Some(Permission::FreeText),
    };
    let third = rule.third_person.then_some(Permission::ThirdPersons);
    let history = rule.history.then_some(Permission::History);
    let all = [by_sensitivity, third, history].into_iter().flatten();
    all.fold(Permissions::default(), Permissions::with)
}
