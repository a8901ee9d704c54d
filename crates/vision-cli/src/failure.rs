//! How a command ends.

use std::error::Error;

use vision::learner::Error as Learner;

use crate::wording;

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
        let message = error.to_string();
        match flat(Box::new(error)) {
            Some(vision::Error::Option(error)) => Self::failed(wording::of_option(&error)),
            Some(vision::Error::Learner(error)) => of_learner(&error),
            _ => Self::failed(wording::in_options(&message)),
        }
    }
}

/// The error of whichever crate as one of the whole library.
fn flat(error: Box<dyn Error + Send + Sync>) -> Option<vision::Error> {
    let error = match error.downcast::<vision::Error>() {
        Ok(error) => return Some(*error),
        Err(error) => error,
    };
    macro_rules! from {
        ($error:ident: $($kind:ty),+) => {{
            $(let $error = match $error.downcast::<$kind>() {
                Ok(error) => return Some((*error).into()),
                Err(error) => error,
            };)+
            drop($error);
        }};
    }
    from!(error: vision::learner::Error, vision::data::Error, vision::interp::Error, vision::models::Error,
        vision::fetch::Error, vision::figure::Error, vision::base::OptionError);
    None
}

fn of_learner(error: &Learner) -> Failure {
    // What fails in a fold fails as it would alone.
    if let Learner::Fold {
        fold,
        folds,
        source,
    } = error
    {
        let inner = of_learner(source);
        return inner.within(format_args!("fold {} of {folds}", fold + 1));
    }
    let text = match error {
        Learner::Option(error) => Some(wording::of_option(error)),
        error => in_options(error),
    };
    let text = text.unwrap_or_else(|| wording::in_options(&error.to_string()));
    match error {
        Learner::Interrupted { .. } => Failure::interrupted(text),
        _ => Failure::failed(text),
    }
}

/// What to do, in options of the program, for errors that name methods.
fn in_options(error: &Learner) -> Option<String> {
    let instead =
        "give a file with --pretrained FILE, or begin with random weights with --pretrained no";
    match error {
        // How to go on is said by the command, which knows the folder.
        Learner::Interrupted { epoch, batches, .. } => Some(format!(
            "interrupted in epoch {epoch}, after {batches} batches; the step is saved"
        )),
        Learner::NoWeights { arch, source } => Some(format!(
            "cannot get the pretrained weights of {arch}: {source}. Or {instead}"
        )),
        Learner::NotHosted { arch } => Some(format!(
            "there are no published pretrained weights for {arch}: {instead}"
        )),
        Learner::ImageTooSmall {
            arch,
            expected,
            found: [height, width],
        } => Some(format!(
            "{arch} takes images of at least {expected}x{expected} pixels, found {height}x{width} (height x width): choose a \
             larger --size, or another --arch"
        )),
        Learner::ImageSides {
            arch,
            multiple,
            found: [height, width],
            nearest: [near_height, near_width],
        } => {
            let near = match near_height == near_width {
                true => near_height.to_string(),
                false => format!("{near_height}x{near_width}"),
            };
            Some(format!(
                "{arch} takes images whose sides are multiples of {multiple} pixels, found {height}x{width} (height x \
                 width): choose a --size such as {near}, or another --arch"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_fit_has_its_own_exit_code() {
        let interrupted = || Learner::Interrupted {
            folder: "run".into(),
            epoch: 0,
            batches: 1,
        };
        assert_eq!(Failure::from(interrupted()).code(), 3);
        assert_eq!(Failure::from(vision::Error::from(interrupted())).code(), 3);
        let other = Learner::NothingTrains;
        assert_eq!(Failure::from(other).code(), 1);
    }

    #[test]
    fn advice_is_given_in_options_of_the_program() {
        let error = Learner::NotHosted {
            arch: "xresnet18".to_owned(),
        };
        let failure = Failure::from(vision::Error::from(error));
        assert!(failure.message().contains("--pretrained no"), "{failure:?}");
        assert!(!failure.message().contains("(.pretrained"), "{failure:?}");
    }
}
