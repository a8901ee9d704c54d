//! Inspecting networks: the shapes and the cost of their layers, and the outputs of inner layers.

mod forward_to;
mod profile;

pub use profile::{LayerProfile, profile};

/// Joins `layer1.0` and `conv1` to `layer1.0.conv1`.
fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// What is left of a path after the name of a child: `conv1` of `0.conv1` after `0`, an empty text of `0`. `None` if it
/// leads elsewhere.
fn below<'a>(path: &'a str, child: &str) -> Option<&'a str> {
    match path.strip_prefix(child)? {
        "" => Some(""),
        rest => rest.strip_prefix('.'),
    }
}
