//! What the Crossroads Bank says of a whole answer, in MAGDA's exceptions or in the content, and what that means for
//! an exchange.

use crate::source::condition::{self, Outcome, Sign, SourceError};

/// The code of a number that was replaced.
pub const REPLACED: &str = "MSG00006";

/// A status of the Crossroads Bank, as far as it outweighs the severity of the exception that tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circumstance {
    /// Another, or none.
    #[default]
    Other,
    /// `NO_DATA_FOUND`: there is nothing to tell.
    NoData,
    /// `NO_RESULT`: there is no answer, and a code says why.
    NoResult,
    /// `INCOMPLETE_DATA`: some suppliers were not asked, or did not answer.
    Incomplete,
}

impl Circumstance {
    pub fn of(text: &str) -> Self {
        match text {
            "NO_DATA_FOUND" => Self::NoData,
            "NO_RESULT" => Self::NoResult,
            "INCOMPLETE_DATA" => Self::Incomplete,
            _ => Self::Other,
        }
    }
}

/// What the content says of itself, in the Crossroads Bank's words.
#[derive(Clone, Default)]
pub struct Status {
    /// `DATA_FOUND`, `NO_DATA_FOUND`, `NO_RESULT` or `INCOMPLETE_DATA`.
    pub value: Option<Box<str>>,
    /// Its code (MSG00012).
    pub code: Option<Box<str>>,
    /// The numbers of eleven digits beside it.
    numbers: Vec<Box<str>>,
    /// The numbers that the content says replace another.
    replacements: Vec<Box<str>>,
}

impl Status {
    /// Takes in a text that stands beside the status.
    pub fn inform(&mut self, text: &str) {
        self.numbers.extend(eleven_digits(text));
    }

    /// Takes in a number that replaces the one asked for.
    pub fn replace(&mut self, text: &str) {
        self.replacements.extend(eleven_digits(text));
    }

    /// The numbers that it announces in place of the one asked for.
    pub fn announced(&self) -> impl Iterator<Item = &Box<str>> {
        let replaced = self.code.as_deref() == Some(REPLACED);
        self.numbers.iter().filter(move |_| replaced).chain(&self.replacements)
    }

    /// What it means for the exchange, where the content says anything of itself. A part of an answer is an answer.
    pub fn meaning(&self) -> Option<Result<Outcome, SourceError>> {
        let code = self.code.as_deref().unwrap_or_default();
        let by_code = || condition::meaning(Sign::Status(code)).unwrap_or(Err(SourceError::AnswerInvalid));
        Some(match self.value.as_deref() {
            None if code.is_empty() => return None,
            None => by_code(),
            Some("DATA_FOUND" | "INCOMPLETE_DATA") => Ok(Outcome::Content),
            Some("NO_DATA_FOUND") => Ok(Outcome::NotFound),
            Some("NO_RESULT") => match by_code() {
                Ok(Outcome::Content) => Err(SourceError::AnswerInvalid),
                other => other,
            },
            Some(_) => Err(SourceError::AnswerInvalid),
        })
    }
}

/// A text of eleven digits, as a number of a person has.
pub fn eleven_digits(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    (text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.into())
}

/// Three capitals and five digits: MSG00012, HAN20200.
pub fn is_status(text: &str) -> bool {
    text.split_at_checked(3).is_some_and(|(letters, digits)| {
        letters.bytes().all(|b| b.is_ascii_uppercase())
            && digits.len() == 5
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::super::exception::{judge, replacement};
    use super::*;

    #[test]
    fn the_content_may_tell_its_own_status() {
        use SourceError::*;
        for (value, code, expected) in [
            ("", "", Ok(Outcome::Content)),
            ("DATA_FOUND", "MSG00000", Ok(Outcome::Content)),
            ("DATA_FOUND", "SSH99999", Ok(Outcome::Content)),
            ("INCOMPLETE_DATA", "HAN20200", Ok(Outcome::Content)),
            ("", "SSH00047", Ok(Outcome::Content)),
            ("NO_DATA_FOUND", "MSG00100", Ok(Outcome::NotFound)),
            ("NO_DATA_FOUND", "MSG00009", Ok(Outcome::NotFound)),
            ("NO_DATA_FOUND", "", Ok(Outcome::NotFound)),
            ("NO_RESULT", "MSG00005", Ok(Outcome::NotFound)),
            ("NO_RESULT", "MSG00006", Ok(Outcome::NotFound)),
            ("NO_RESULT", "MSG00012", Err(SubjectNotRegistered)),
            ("", "MSG00012", Err(SubjectNotRegistered)),
            ("NO_RESULT", "MSG00013", Err(Refused)),
            ("NO_RESULT", "MSG00008", Err(Internal)),
            ("NO_RESULT", "MSG00011", Err(Internal)),
            ("NO_RESULT", "MSG00000", Err(AnswerInvalid)),
            ("NO_RESULT", "MSG77777", Err(AnswerInvalid)),
            ("NO_RESULT", "", Err(AnswerInvalid)),
            ("SOMETHING_NEW", "MSG00000", Err(AnswerInvalid)),
            ("", "MSG77777", Err(AnswerInvalid)),
        ] {
            let text = |text: &str| (!text.is_empty()).then(|| text.into());
            let status = Status { value: text(value), code: text(code), ..Status::default() };
            let verdict = judge(&[], &status, true).map_err(|failure| failure.error);
            assert_eq!(verdict, expected, "{value} {code}");
        }
    }

    #[test]
    fn the_content_may_announce_a_replacement() {
        let said = |code: &str, beside: &[&str], replaced_by: &[&str]| {
            let mut status = Status { code: Some(code.into()), ..Status::default() };
            for text in beside {
                status.inform(text);
            }
            for text in replaced_by {
                status.replace(text);
            }
            replacement(&[], &status, "85673003360").map(String::from)
        };
        let new = Some("62710512470".to_owned());
        assert_eq!(said("MSG00006", &["62710512470", "0212165526", "85673003360"], &[]), new);
        assert_eq!(said("MSG00012", &["62710512470"], &[]), None, "said of a file, not of a replacement");
        assert_eq!(said("MSG00000", &[], &["62710512470"]), new);
        assert_eq!(said("MSG00006", &["62710512470"], &["04622921841"]), None);
    }
}
