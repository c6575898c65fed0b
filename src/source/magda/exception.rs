//! The three levels of MAGDA's exceptions (SOAP Fault, Repliek, Antwoord), and what they mean for an exchange.

use super::plan::Mark;
use super::status::{Circumstance, REPLACED, Status, eleven_digits, is_status};
use crate::source::condition::{self, Outcome, Sign, SourceError};

/// Why MAGDA gave no answer. Never holds a value of the question or the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub error: SourceError,
    /// The platform's own code for it, five digits, for the log of operation.
    pub code: Option<Box<str>>,
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self { error, code: None }
    }
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// A code as [`Failure::code`] takes it. The schema has room for ten digits, which are enough for a date of birth or a
/// telephone number; all codes of the platform have five.
const CODE_DIGITS: usize = 5;

/// One `Uitzondering`, reduced to what an exchange is judged by. `Diagnose` may hold
/// personal data and is not read.
#[derive(Clone, Default)]
pub struct Exception {
    /// `Identificatie`.
    pub code: String,
    /// `Type` is FOUT: the question was not, or not wholly, answered.
    pub fault: bool,
    /// `Omstandigheid`, where it is a status of the Crossroads Bank.
    pub circumstance: Circumstance,
    /// The Crossroads Bank's status code among the annotations (MSG00012).
    pub status: Option<String>,
    /// The numbers of eleven digits among the annotations.
    pub numbers: Vec<Box<str>>,
}

impl Exception {
    /// One that says nothing yet: without a `Type` it is a fault, as with one that nobody knows.
    pub fn begun() -> Self {
        Self { fault: true, ..Self::default() }
    }

    /// Takes in the text of one of its elements.
    pub fn tell(&mut self, mark: Mark, text: &str) {
        match mark {
            Mark::Code => text.clone_into(&mut self.code),
            Mark::Severity => self.fault = !matches!(text, "WAARSCHUWING" | "INFORMATIE"),
            Mark::Circumstance => self.circumstance = Circumstance::of(text),
            Mark::Annotation if is_status(text) => self.status = Some(text.into()),
            Mark::Annotation => self.numbers.extend(eleven_digits(text)),
            _ => {}
        }
    }
}

/// Judges the exceptions of one reply and the status that its content tells of itself; `content` tells whether
/// `Inhoud` held any element.
///
/// An error outweighs an absence, and an absence outweighs content; among errors the first counts.
/// A warning or a notice never takes content away, save the Crossroads Bank's `NO_DATA_FOUND` and `NO_RESULT`,
/// whose content only repeats that status.
pub fn judge(exceptions: &[Exception], status: &Status, content: bool) -> Result<Outcome, Failure> {
    let mut outcome = None;
    for exception in exceptions {
        let nothing = matches!(exception.circumstance, Circumstance::NoData | Circumstance::NoResult);
        if !exception.fault && content && !nothing {
            continue;
        }
        let weighs = exception.fault || exception.circumstance == Circumstance::NoResult;
        match meaning(exception) {
            Some(Ok(Outcome::Content)) => {}
            Some(Ok(found)) => outcome = outcome.or(Some(found)),
            Some(Err(failure)) if weighs => return Err(error(failure, &exception.code)),
            None if weighs => {
                return Err(error(SourceError::AnswerInvalid, &exception.code));
            }
            Some(Err(_)) | None => {}
        }
    }
    match status.meaning().filter(|_| content).transpose()? {
        None | Some(Outcome::Content) => {}
        Some(found) => outcome = outcome.or(Some(found)),
    }
    match outcome {
        Some(outcome) => Ok(outcome),
        None if content => Ok(Outcome::Content),
        None => Err(SourceError::AnswerInvalid.into()),
    }
}

/// Judges a SOAP Fault by its text and by the code that it may carry. Without a code that is known, the table says what
/// a Fault comes to.
pub fn judge_fault(text: &str, code: &str) -> Failure {
    let spoken = condition::failure(Sign::Fault(text));
    let coded = match condition::meaning(Sign::Code(code)) {
        Some(Err(failure)) if spoken != SourceError::Throttled => failure,
        _ => spoken,
    };
    error(coded, code)
}

/// The replacement that exception 30004 announces: its annotations hold the old number and the new. Or that the
/// content does. Ambiguity announces nothing, so that an answer about the other number is refused.
pub fn replacement(exceptions: &[Exception], status: &Status, asked: &str) -> Option<Box<str>> {
    let mut announced = exceptions
        .iter()
        .filter(|exception| exception.code == "30004" || exception.status.as_deref() == Some(REPLACED))
        .flat_map(|exception| &exception.numbers)
        .chain(status.announced())
        .filter(|number| ***number != *asked);
    let first = announced.next()?;
    announced.all(|number| number == first).then(|| first.clone())
}

fn meaning(exception: &Exception) -> Option<Result<Outcome, SourceError>> {
    match exception.circumstance {
        Circumstance::NoData => return Some(Ok(Outcome::NotFound)),
        Circumstance::Incomplete => return Some(Ok(Outcome::Content)),
        Circumstance::NoResult | Circumstance::Other => {}
    }
    match exception.code.as_str() {
        // The Crossroads Bank's own status stands in an annotation.
        "70001" | "70002" => {
            exception.status.as_deref().and_then(|status| condition::meaning(Sign::Status(status)))
        }
        code => condition::meaning(Sign::Code(code)),
    }
}

fn error(error: SourceError, code: &str) -> Failure {
    let digits = code.bytes().all(|byte| byte.is_ascii_digit()) && code.len() == CODE_DIGITS;
    Failure { error, code: digits.then(|| code.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(code: &str, fault: bool) -> Exception {
        Exception { code: code.into(), fault, ..Exception::default() }
    }

    #[test]
    fn what_has_no_known_type_is_a_fault() {
        for (kind, fault) in
            [(None, true), (Some("FOUT"), true), (Some("RAMP"), true), (Some("WAARSCHUWING"), false)]
        {
            let mut exception = Exception::begun();
            exception.tell(Mark::Code, "99996");
            if let Some(kind) = kind {
                exception.tell(Mark::Severity, kind);
            }
            assert_eq!(judge(&[exception], &Status::default(), true).is_err(), fault, "{kind:?}");
        }
    }

    #[test]
    fn a_status_of_the_crossroads_bank_is_told_by_its_form() {
        for (text, told) in [
            ("MSG00012", true),
            ("HAN20200", true),
            ("SSH00047", true),
            ("Msg00012", false),
            ("MSG0012", false),
            ("MSG000123", false),
            ("MÉ00012", false),
            ("84631230189", false),
        ] {
            let mut exception = Exception::begun();
            exception.tell(Mark::Annotation, text);
            assert_eq!(exception.status.is_some(), told, "{text}");
        }
        let mut partial = Exception { code: "70001".into(), ..Exception::begun() };
        partial.tell(Mark::Annotation, "HAN20200");
        assert_eq!(judge(&[partial], &Status::default(), true), Ok(Outcome::Content));
    }

    #[test]
    fn codes_mean_what_the_platform_documents() {
        use SourceError::*;
        let table: [(&str, bool, bool, Result<Outcome, SourceError>); 27] = [
            // code, FOUT, content present, verdict
            ("30001", true, false, Ok(Outcome::NotFound)),
            ("30002", true, false, Ok(Outcome::NotFound)),
            ("30003", true, false, Ok(Outcome::NotFound)),
            ("30001", false, false, Ok(Outcome::NotFound)),
            ("30001", false, true, Ok(Outcome::Content)),
            ("30001", true, true, Ok(Outcome::NotFound)),
            ("15021", true, false, Ok(Outcome::Filtered)),
            ("15021", false, false, Ok(Outcome::Filtered)),
            ("30004", false, true, Ok(Outcome::Content)),
            ("30004", false, false, Err(AnswerInvalid)),
            ("30042", false, true, Ok(Outcome::Content)),
            ("40003", true, false, Err(SubjectNotRegistered)),
            ("13202", true, false, Err(SubjectNotRegistered)),
            ("40001", true, false, Err(Refused)),
            ("40005", true, false, Err(Refused)),
            ("40006", true, false, Err(Refused)),
            ("99995", true, false, Err(Throttled)),
            ("99996", true, false, Err(Down)),
            ("99997", true, true, Err(Down)),
            ("60006", true, false, Err(BrokenOff)),
            ("60011", true, false, Err(Unavailable)),
            ("20002", true, false, Err(Internal)),
            ("20005", true, false, Err(Internal)),
            ("70003", true, false, Err(Unavailable)),
            ("45700", true, true, Err(AnswerInvalid)),
            ("45700", false, true, Ok(Outcome::Content)),
            ("99996", false, false, Err(AnswerInvalid)),
        ];
        for (code, fault, content, expected) in table {
            let verdict =
                judge(&[exception(code, fault)], &Status::default(), content).map_err(|failure| failure.error);
            assert_eq!(verdict, expected, "{code} fault {fault} content {content}");
        }
        assert_eq!(judge(&[], &Status::default(), true), Ok(Outcome::Content));
        assert_eq!(judge(&[], &Status::default(), false), Err(AnswerInvalid.into()));
    }

    #[test]
    fn an_error_outweighs_an_absence_wherever_it_stands() {
        let absence = exception("30001", true);
        let outage = exception("99996", true);
        for order in [[absence.clone(), outage.clone()], [outage, absence]] {
            let verdict = judge(&order, &Status::default(), false);
            assert_eq!(verdict.map_err(|e| e.error), Err(SourceError::Down));
        }
    }

    #[test]
    fn a_status_of_the_crossroads_bank_decides() {
        use Circumstance::*;
        let table = [
            ("70001", "MSG00100", false, Ok(Outcome::NotFound)),
            ("70002", "MSG00005", true, Ok(Outcome::NotFound)),
            ("70002", "MSG00012", true, Err(SourceError::SubjectNotRegistered)),
            ("70002", "MSG00013", true, Err(SourceError::Refused)),
            ("70002", "MSG99999", true, Err(SourceError::AnswerInvalid)),
        ];
        for (code, status, fault, expected) in table {
            let exception = Exception { status: Some(status.into()), ..exception(code, fault) };
            let verdict = judge(&[exception], &Status::default(), false).map_err(|failure| failure.error);
            assert_eq!(verdict, expected, "{code} {status}");
        }
        for (circumstance, fault, content, status, expected) in [
            (NoData, false, true, "MSG00100", Ok(Outcome::NotFound)),
            (Incomplete, false, true, "HAN20200", Ok(Outcome::Content)),
            (Incomplete, true, true, "", Ok(Outcome::Content)),
            (Incomplete, false, false, "HAN20200", Err(SourceError::AnswerInvalid)),
            (NoResult, false, true, "MSG00012", Err(SourceError::SubjectNotRegistered)),
            (NoResult, false, false, "MSG00013", Err(SourceError::Refused)),
            (NoResult, false, true, "MSG00006", Ok(Outcome::NotFound)),
            (NoResult, false, true, "", Err(SourceError::AnswerInvalid)),
            (Other, false, true, "MSG00012", Ok(Outcome::Content)),
        ] {
            let status = (!status.is_empty()).then(|| status.to_owned());
            let exception = Exception { circumstance, status, ..exception("70001", fault) };
            let verdict = judge(&[exception], &Status::default(), content).map_err(|failure| failure.error);
            assert_eq!(verdict, expected, "{circumstance:?} fault {fault} content {content}");
        }
    }

    #[test]
    fn faults_are_outages_unless_they_say_otherwise() {
        let throttled = "Exceeded the max throttle rate of 10 within 1000ms";
        assert_eq!(judge_fault(throttled, "").error, SourceError::Throttled);
        assert_eq!(judge_fault("Te veel gelijktijdige bevragingen", "").error, SourceError::Throttled);
        assert_eq!(judge_fault("", "99995").error, SourceError::Throttled);
        assert_eq!(judge_fault("", "40005").error, SourceError::Refused);
        assert_eq!(judge_fault("faultstring", ""), SourceError::Unavailable.into());
        for odd in ["1 Janssens", "0479123456", "19850730", ""] {
            assert_eq!(judge_fault("", odd).code, None, "only codes reach the log");
        }
    }

    #[test]
    fn a_replacement_is_the_one_number_that_was_not_asked_for() {
        let announce = |numbers: &[&str]| {
            let exception = Exception {
                numbers: numbers.iter().map(|n| Box::from(*n)).collect(),
                ..exception("30004", false)
            };
            replacement(&[exception], &Status::default(), "85673003360").map(String::from)
        };
        assert_eq!(announce(&[]), None);
        assert_eq!(announce(&["85673003360"]), None);
        assert_eq!(announce(&["85673003360", "62710512470"]).as_deref(), Some("62710512470"));
        assert_eq!(announce(&["04622921841", "62710512470"]), None);
        let other = Exception { numbers: vec!["62710512470".into()], ..exception("30042", false) };
        assert_eq!(replacement(&[other], &Status::default(), "85673003360"), None);
    }
}
