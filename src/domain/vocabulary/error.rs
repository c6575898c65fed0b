//! What may be wrong with a descriptor set.

use std::fmt;

/// What is wrong with a descriptor set, and where. A method is named in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VocabularyError {
    /// Not a descriptor set, or one that lacks an import; with what the decoder says.
    Unreadable(Box<str>),
    /// The method's options cannot be read.
    Options(Box<str>),
    /// The method names no source.
    NoSource(Box<str>),
    /// The method has no manner, or one that this gateway does not know.
    NoManner(Box<str>),
    /// The method is a stream.
    Stream(Box<str>),
    /// No field of the request is the data subject.
    NoSubject(Box<str>),
    /// The data subject is not one string: holds method and field.
    SubjectNotOne(Box<str>, Box<str>),
    /// Two fields of one message tell the same: holds method and second field.
    Twice(Box<str>, Box<str>),
    /// A party is no text, or stands in an answer whose wire does not look for parties: holds method and field.
    Party(Box<str>, Box<str>),
    /// The question on MAGDA's wire names a field that is not there, or not of that form: holds method and field.
    ContentField(Box<str>, Box<str>),
    /// An element of the question has neither field nor value: holds method and element.
    ContentEmpty(Box<str>, Box<str>),
    /// An element of the question has more than one content: holds method and element.
    ContentTwice(Box<str>, Box<str>),
    /// An element of the question has no sound path: holds method and path.
    ContentPath(Box<str>, Box<str>),
    /// The messages hold each other in more ways than are searched: holds the method that was one too many.
    TooWide(Box<str>),
}

impl fmt::Display for VocabularyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "not a complete descriptor set (include imports): {why}"),
            Self::Options(method) => write!(
                f,
                "{method}: its options cannot be read: compile them against sluis/options/v1/options.proto"
            ),
            Self::NoSource(method) => write!(f, "{method}: name the `source` in (sluis.options.v1.method)"),
            Self::NoManner(method) => write!(f, "{method}: give the `manner` in (sluis.options.v1.method)"),
            Self::Stream(method) => {
                write!(f, "{method}: streams are not served: make it one question, one answer")
            }
            Self::NoSubject(method) => {
                write!(f, "{method}: no field of the request is the data subject: mark one `subject: true`")
            }
            Self::SubjectNotOne(method, field) => write!(
                f,
                "{method}: {field} is marked `subject: true`, so it must be a string, and nothing on the way to it repeated"
            ),
            Self::Twice(method, field) => {
                write!(f, "{method}: {field} tells what another field already tells: unmark one of the two")
            }
            Self::Party(method, field) => {
                write!(f, "{method}: {field} is marked `party: true`, so it must be text that comes over MAGDA")
            }
            Self::ContentField(method, field) => write!(
                f,
                "{method}: the question names `{field}`, which is not there: a text needs a scalar of the request, a group a message"
            ),
            Self::ContentEmpty(method, path) => {
                write!(f, "{method}: element `{path}` of the question needs a `field`, a `value` or `elements`")
            }
            Self::ContentTwice(method, path) => write!(
                f,
                "{method}: element `{path}` of the question has two contents: a group has no `value`, a flag no `field`"
            ),
            Self::ContentPath(method, path) => {
                write!(f, "{method}: `{path}` of the question is no path of element names")
            }
            Self::TooWide(method) => write!(
                f,
                "{method}: its messages hold each other in too many ways: give it messages with its own fields"
            ),
        }
    }
}

impl std::error::Error for VocabularyError {}
