//! How a command ends.

use std::error::Error;

/// The exit codes, as `docs/command-line.md` has them.
pub(crate) mod exit_code {
    /// The work failed, or a check found something.
    pub(crate) const FAILED: u8 = 1;
    /// Wrong usage, as clap says it.
    pub(crate) const USAGE: u8 = 2;
    /// Ctrl-C, or a request of the system to end.
    pub(crate) const INTERRUPTED: u8 = 3;
}

/// The end of a command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to complain about.
    Done,
    /// A check found something, which is already said.
    Found,
}

/// A message and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

pub(crate) type Result<T = Outcome> = std::result::Result<T, Failure>;

impl Failure {
    /// The work cannot be done.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: exit_code::FAILED,
        }
    }

    /// The options are wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: exit_code::USAGE,
        }
    }

    /// Ctrl-C ended the work, and it can go on.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: exit_code::INTERRUPTED,
        }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Puts the name of what failed before the message.
    pub(crate) fn within(mut self, what: impl std::fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

// As `vision::MainError`: not an error itself, so that every error converts to it.
impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let code = if is_interrupted(&error) {
            exit_code::INTERRUPTED
        } else {
            exit_code::FAILED
        };
        Self {
            message: error.to_string(),
            code,
        }
    }
}

fn is_interrupted(error: &(dyn Error + 'static)) -> bool {
    use vision::learner::Error as Learner;
    let learner = match error.downcast_ref::<vision::Error>() {
        Some(vision::Error::Learner(error)) => Some(&**error),
        _ => error.downcast_ref::<Learner>(),
    };
    matches!(learner, Some(Learner::Interrupted { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_fit_has_its_own_exit_code() {
        let interrupted = || vision::learner::Error::Interrupted {
            folder: "run".into(),
            epoch: 0,
            batches: 1,
        };
        assert_eq!(Failure::from(interrupted()).code(), 3);
        assert_eq!(Failure::from(vision::Error::from(interrupted())).code(), 3);
        let other = vision::learner::Error::NothingTrains;
        assert_eq!(Failure::from(other).code(), 1);
    }
}
