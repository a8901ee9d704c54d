//! Images in the body of a request.

mod form;
mod json;
mod multipart;

use bytes::Bytes;

pub(crate) use crate::input::form::Form;
use crate::refusal::Refusal;

/// An encoded image with the name that the answer gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

impl Item {
    pub(crate) fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// The images of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// One, whose answer is an object.
    One(Item),
    /// A list, whose answer is a list, however many there are.
    List(Vec<Item>),
}

/// Takes at most so many images out of a body. It may take milliseconds.
pub(crate) fn open(form: Form, bytes: Bytes, max_images: usize) -> Result<Opened, Refusal> {
    match form {
        Form::Raw => Ok(Opened::One(Item::new("image", bytes))),
        Form::Json => json::images(&bytes, max_images),
        Form::Multipart { boundary } => {
            multipart::images(bytes, &boundary, max_images).map(Opened::List)
        }
    }
}

/// There are too many images in a request.
fn too_many_images(max_images: usize) -> Refusal {
    Refusal::new(
        hyper::StatusCode::PAYLOAD_TOO_LARGE,
        "too_many_images",
        format!("a request has more than {max_images} images"),
        "send them in several requests",
    )
    .of(format!("1 to {max_images} images"), "more")
}

/// There is no image in a request.
fn no_images(expected: &'static str) -> Refusal {
    Refusal::bad_request("the request has no image", "send at least one image").of(expected, "none")
}
