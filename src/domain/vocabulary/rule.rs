//! What the descriptors say of one field or enum value, in typed form.

use prost::Message;
use prost_reflect::{EnumValueDescriptor, FieldDescriptor};

use crate::proto::options;

/// What `sluis.options.v1.field` says of a field. It holds for everything below the field, beside what is
/// said there: judge a field by the rules of its whole way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own, as the descriptors give them")]
pub struct FieldRule {
    /// The INSZ of the data subject.
    pub subject: bool,
    /// How sensitive the value is.
    pub sensitivity: Sensitivity,
    /// The value is about another person than the data subject.
    pub third_person: bool,
    /// The value is about the past.
    pub history: bool,
    /// The source's own codes ("IT010").
    pub information_types: Vec<String>,
    /// The article of law that names the datum.
    pub law_article: Option<Box<str>>,
    /// Where the value stands in XML, relative to the element of the message that holds the field.
    pub xml: Option<Box<str>>,
    /// What the value tells apart from itself.
    pub fact: Option<Fact>,
    /// The INSZ of somebody among whom the data subject is to be found.
    pub party: bool,
    /// Of the parties in each of these messages, the data subject is one.
    pub among: bool,
}

/// How sensitive a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sensitivity {
    /// Ordinary personal data.
    Ordinary,
    /// A number that identifies a person (national register act, art. 8).
    Identifier,
    /// Tells where a person is to be found.
    Address,
    /// The protection of an address itself.
    ProtectedAddress,
    /// Special categories (GDPR art. 9).
    Special,
    /// Judicial data (GDPR art. 10).
    Judicial,
    /// A picture of a person.
    Photo,
    /// Text that may say anything about anyone.
    FreeText,
}

/// What a value tells the gateway when it judges an answer, granted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Where it stands, the address of the data subject may not be communicated.
    ProtectedAddress,
    /// The last day of that protection (YYYY-MM-DD).
    ProtectedAddressUntil,
    /// What the Crossroads Bank says of the whole answer.
    Status,
    /// The code of that.
    StatusCode,
    /// What stands beside that.
    StatusInformation,
    /// The number that replaces the one asked for.
    Replacement,
}

impl Fact {
    /// Those that the source says of the whole answer.
    pub const OF_STATUS: [Self; 4] =
        [Self::Status, Self::StatusCode, Self::StatusInformation, Self::Replacement];
}

/// What the descriptors say of a field. Options that cannot be read make it free text, the kind that may hide
/// anything, so that nothing opens by a mistake.
pub fn rule(field: &FieldDescriptor) -> FieldRule {
    let Ok(options) = FieldOptions::decode(field.options().encode_to_vec().as_slice()) else {
        return FieldRule::from(options::Field { sensitivity: UNREADABLE, ..options::Field::default() });
    };
    FieldRule::from(options.field.unwrap_or_default())
}

/// Whether a field says anything of itself. An empty `sluis.options.v1.field` says that it is ordinary.
pub fn is_classified(field: &FieldDescriptor) -> bool {
    FieldOptions::decode(field.options().encode_to_vec().as_slice())
        .is_ok_and(|options| options.field.is_some())
}

/// The text of an enum value on an XML wire.
pub fn xml_value(value: &EnumValueDescriptor) -> Option<Box<str>> {
    let options = EnumValueOptions::decode(value.options().encode_to_vec().as_slice()).ok()?;
    options.xml_value.map(String::into_boxed_str)
}

/// A number that no sensitivity has.
const UNREADABLE: i32 = -1;

impl From<options::Field> for FieldRule {
    fn from(said: options::Field) -> Self {
        let fact = said.fact();
        Self {
            subject: said.subject,
            sensitivity: Sensitivity::from(options::Sensitivity::try_from(said.sensitivity).ok()),
            third_person: said.third_person,
            history: said.history,
            information_types: said.information_types,
            law_article: present(said.law_article),
            xml: present(said.xml),
            fact: match fact {
                options::Fact::Unspecified => None,
                options::Fact::ProtectedAddress => Some(Fact::ProtectedAddress),
                options::Fact::ProtectedAddressUntil => Some(Fact::ProtectedAddressUntil),
                options::Fact::Status => Some(Fact::Status),
                options::Fact::StatusCode => Some(Fact::StatusCode),
                options::Fact::StatusInformation => Some(Fact::StatusInformation),
                options::Fact::Replacement => Some(Fact::Replacement),
            },
            party: said.party,
            among: said.among,
        }
    }
}

impl From<Option<options::Sensitivity>> for Sensitivity {
    /// A sensitivity that this gateway does not know is as closed as free text.
    fn from(said: Option<options::Sensitivity>) -> Self {
        match said {
            Some(options::Sensitivity::Unspecified) => Self::Ordinary,
            Some(options::Sensitivity::Identifier) => Self::Identifier,
            Some(options::Sensitivity::Address) => Self::Address,
            Some(options::Sensitivity::ProtectedAddress) => Self::ProtectedAddress,
            Some(options::Sensitivity::Special) => Self::Special,
            Some(options::Sensitivity::Judicial) => Self::Judicial,
            Some(options::Sensitivity::Photo) => Self::Photo,
            Some(options::Sensitivity::FreeText) | None => Self::FreeText,
        }
    }
}

fn present(text: String) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into_boxed_str())
}

/// The part of `google.protobuf.FieldOptions` that this gateway reads. Read from its bytes, so that a partner's
/// descriptors cannot put another meaning under the option's name.
#[derive(Clone, PartialEq, Message)]
struct FieldOptions {
    #[prost(message, optional, tag = "50501")]
    field: Option<options::Field>,
}

/// The same of `google.protobuf.EnumValueOptions`.
#[derive(Clone, PartialEq, Message)]
struct EnumValueOptions {
    #[prost(string, optional, tag = "50501")]
    xml_value: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_closed() {
        for number in [-1, 8, i32::MAX] {
            let rule = FieldRule::from(options::Field { sensitivity: number, ..options::Field::default() });
            assert_eq!(rule.sensitivity, Sensitivity::FreeText);
        }
        let silent = FieldRule::from(options::Field::default());
        assert_eq!(silent.sensitivity, Sensitivity::Ordinary);
        assert_eq!((silent.xml, silent.law_article, silent.fact), (None, None, None));
    }
}
