//! What a program's `main` returns.

use std::error::Error;
use std::fmt;

/// What `main` returns, so that a program that fails prints the message of its error.
///
/// Rust prints the error of `main` as [`Debug`](fmt::Debug) does, which for an error of this library is the names of
/// variants and fields. [`MainError`] takes any error and prints its message instead.
///
/// ```should_panic
/// use vision::prelude::*;
///
/// fn main() -> vision::MainResult {
///     // Error: no/such/folder: no such folder ..
///     ImageDataBunch::from_folder("no/such/folder").build()?;
///     Ok(())
/// }
/// ```
///
/// A function that others call returns [`Result`](crate::Result) instead, whose errors can be matched.
pub type MainResult<T = ()> = Result<T, MainError>;

/// Any error, printed as its message in [`Debug`](fmt::Debug) too: see [`MainResult`].
pub struct MainError(Box<dyn Error + Send + Sync>);

// This type is itself no `Error`: or else this would be two conversions from it to itself.
impl<E: Error + Send + Sync + 'static> From<E> for MainError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for MainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use vision_data::FilesError;

    use super::*;

    #[test]
    fn the_error_of_main_is_printed_as_its_message() {
        let fails = || -> MainResult {
            vision_data::ImageDataBunch::from_folder("no/such/folder").build()?;
            Ok(())
        };
        let error = fails().err();
        let printed = error
            .as_ref()
            .map(|error| (format!("{error:?}"), error.to_string()));
        let plain = |(debug, display): &(String, String)| {
            debug == display && debug.contains("no/such/folder") && !debug.contains("NotAFolder")
        };
        assert!(printed.as_ref().is_some_and(plain), "{printed:?}");
        let error = crate::Error::from(FilesError::NotAFolder {
            path: "no/such/folder".into(),
            found: "nothing",
        });
        let without = format!("{error:?}");
        assert!(without.contains("NotAFolder"), "{without}");
    }
}
