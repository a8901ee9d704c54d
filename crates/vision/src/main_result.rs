//! The return type of a program's `main`.

use std::error::Error;
use std::fmt;

/// The return type of `main`: a program that fails prints the message of its error.
///
/// Rust prints the error of `main` with [`Debug`](fmt::Debug), which for this library's errors shows the
/// names of variants and fields. [`MainError`] wraps any error and prints its message instead.
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
/// Functions that other code calls should return [`Result`](crate::Result), whose errors can be matched.
pub type MainResult<T = ()> = Result<T, MainError>;

/// Any error; its [`Debug`](fmt::Debug) output is its message. See [`MainResult`].
pub struct MainError(Box<dyn Error + Send + Sync>);

// Not an `Error` itself: otherwise this impl would conflict with the identity conversion `From<T> for
// T`.
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
