//! What the body of a request is, by its headers.

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};

use crate::refusal::Refusal;

/// How images are in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The body is the file of an image.
    Raw,
    /// Base64 in JSON.
    Json,
    /// Files of a form.
    Multipart { boundary: String },
}

const EXPECTED: &str = "image/*, application/octet-stream, multipart/form-data or application/json";

impl Form {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let encoding = headers.get(CONTENT_ENCODING);
        if let Some(encoding) = encoding.filter(|encoding| *encoding != "identity") {
            let encoding = String::from_utf8_lossy(encoding.as_bytes());
            return Err(unsupported(
                "the body is compressed",
                "send it as it is: images are compressed already",
            )
            .of("no Content-Encoding", encoding));
        }
        let Some(given) = headers.get(CONTENT_TYPE) else {
            return Ok(Self::Raw);
        };
        let given = String::from_utf8_lossy(given.as_bytes());
        let kind = given.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        match kind.as_str() {
            "multipart/form-data" => match multer::parse_boundary(&*given) {
                Ok(boundary) => Ok(Self::Multipart { boundary }),
                Err(_) => Err(Refusal::bad_request(
                    "the Content-Type of the form has no boundary",
                    "let the HTTP library set the Content-Type of the form",
                )
                .of("multipart/form-data; boundary=..", given)),
            },
            "application/json" => Ok(Self::Json),
            "application/octet-stream" => Ok(Self::Raw),
            kind if kind.starts_with("image/") => Ok(Self::Raw),
            _ => Err(unsupported(
                "the body is of a kind that holds no image",
                "name the kind of the body; with curl: -F image=@photo.jpg, or -H 'Content-Type: image/jpeg' \
                 --data-binary @photo.jpg",
            )
            .of(EXPECTED, given)),
        }
    }
}

fn unsupported(message: &str, advice: &str) -> Refusal {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Refusal::new(status, "unsupported_media_type", message, advice)
}
