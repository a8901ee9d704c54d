use thiserror::Error;

/// What can go wrong in this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No architecture has that name.
    #[error("no architecture is called {name:?}; known are: {}", known.join(", "))]
    UnknownArch {
        /// The name that was asked for.
        name: String,
        /// The names of the registry.
        known: Vec<&'static str>,
    },
    /// A cut leaves nothing, or more than there is.
    #[error(
        "cut at {index} does not fit a model of {children} children: use an index that leaves at \
         least one of them (Cut::At(-2) drops the last two) or a function (Cut::with)"
    )]
    Cut {
        /// The index, as given.
        index: isize,
        /// The number of direct children of the whole model.
        children: usize,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
