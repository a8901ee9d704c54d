//! A decision about an image.

/// What to do about an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It stays as it is: someone has looked at it.
    Keep,
    /// It gets this label: the name of its class, its classes joined by `;`, or its numbers joined by `;` (before a
    /// logarithm is taken).
    Relabel(String),
    /// It is left out. Its file stays where it is.
    Exclude,
}

impl Decision {
    /// The word in a file.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Relabel(_) => "relabel",
            Self::Exclude => "exclude",
        }
    }

    /// The label in a file; empty if there is none.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Relabel(label) => label,
            Self::Keep | Self::Exclude => "",
        }
    }
}
