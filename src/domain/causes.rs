//! An error as a line for people.

use std::error::Error;

/// What an error says, and what its causes say beyond that.
pub fn causes(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.ends_with(&text) {
            told = format!("{told}: {text}");
        }
        next = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Told(&'static str, Option<Box<Told>>);

    impl fmt::Display for Told {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Told {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_follow_unless_they_are_told_already() {
        let full = Told("no space", None);
        assert_eq!(causes(&full), "no space");
        let write = Told("cannot write", Some(Box::new(full)));
        assert_eq!(causes(&write), "cannot write: no space");
        let twice = Told("x: cannot write: no space", Some(Box::new(write)));
        assert_eq!(causes(&twice), "x: cannot write: no space: cannot write: no space");
        let once = Told("x: no space", Some(Box::new(Told("no space", None))));
        assert_eq!(causes(&once), "x: no space");
    }
}
