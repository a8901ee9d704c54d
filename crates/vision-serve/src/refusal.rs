//! Why a request is not answered as asked.

use std::ops::Deref;

use hyper::StatusCode;
use serde::Serialize;
use vision_base::message::shown;
use vision_data::{Error as Data, ImageError, ImageProblem};

/// The answer to a request that cannot be fulfilled: `{"error": {..}}`.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Refusal(Box<Facts>);

impl Deref for Refusal {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

/// What is said of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    #[serde(serialize_with = "number")]
    pub(crate) status: StatusCode,
    /// A word for programs.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<String>,
    #[serde(rename = "do")]
    pub(crate) advice: String,
    /// After so many seconds another try may succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
}

fn number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self(Box::new(Facts {
            status,
            code,
            message: message.into(),
            expected: None,
            found: None,
            advice: advice.into(),
            retry_after: None,
        }))
    }

    /// Adds what was expected and what was found.
    pub(crate) fn of(mut self, expected: impl Into<String>, found: impl ToString) -> Self {
        self.0.expected = Some(expected.into());
        self.0.found = Some(shown(found.to_string()));
        self
    }

    /// After so many seconds another try may succeed.
    fn after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The request itself is malformed.
    pub(crate) fn bad_request(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, advice)
    }

    /// The service has too much to do.
    pub(crate) fn overloaded(message: impl Into<String>) -> Self {
        let advice = "try again after retry_after seconds";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            message,
            advice,
        )
        .after(1)
    }

    /// This client asks for too much at a time.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        let advice = "send the next request when an earlier one is answered";
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            message,
            advice,
        )
        .after(1)
    }

    /// The service ends.
    pub(crate) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "the service is being stopped",
            "try again after retry_after seconds, when another instance has taken over",
        )
        .after(5)
    }

    /// A fault of ours.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            message,
            "this is a fault of the service: report it with the image and this message",
        )
    }
}

/// What is wrong with an image, or with us.
impl From<&vision_learner::Error> for Refusal {
    fn from(error: &vision_learner::Error) -> Self {
        use vision_learner::Error as Learner;
        let expected = "a file of an image: JPEG, PNG, WebP, BMP, GIF, TIFF or PNM";
        let image = |message: String, advice: &str| {
            Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_image",
                message,
                advice,
            )
        };
        match error {
            Learner::Data(Data::Image(ImageError::Decode { problem, .. })) => {
                let message = format!("cannot use the image: {problem}");
                match problem {
                    ImageProblem::TooManyPixels {
                        width,
                        height,
                        limit,
                    } => Self::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "too_many_pixels",
                        message,
                        "send a smaller copy of the image",
                    )
                    .of(
                        format!("at most {limit} pixels"),
                        format!("{width}x{height}"),
                    ),
                    ImageProblem::TooManyBytes { limit } => Self::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "too_large",
                        message,
                        "send a smaller copy of the image",
                    )
                    .of(format!("at most {limit} bytes to decode it"), "more"),
                    problem => image(
                        message,
                        "send the whole file of an image, as it is on the disk",
                    )
                    .of(expected, problem),
                }
            }
            Learner::ImageTooSmall {
                expected, found, ..
            } => image(error.to_string(), "send a larger image").of(
                format!("at least {expected}x{expected} pixels"),
                format!("{}x{} (height x width)", found[0], found[1]),
            ),
            Learner::ImageSides {
                multiple, found, ..
            } => image(error.to_string(), "send an image of another size").of(
                format!("sides that are multiples of {multiple} pixels"),
                format!("{}x{} (height x width)", found[0], found[1]),
            ),
            Learner::Data(error) => image(
                format!("the image cannot be prepared: {error}"),
                "send another image",
            ),
            other => Self::internal(other.to_string()),
        }
    }
}
