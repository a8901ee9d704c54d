//! Answers.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::refusal::Refusal;

pub(super) type Reply = Response<Full<Bytes>>;

/// An answer of a kind, which nobody stores or guesses the kind of.
pub(super) fn of(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    set(&mut reply, CONTENT_TYPE, kind);
    set(&mut reply, CACHE_CONTROL, "no-store");
    set(&mut reply, X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}

/// Sets a header.
pub(super) fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(mut body) => {
            body.push(b'\n');
            of(status, "application/json", body)
        }
        // Nothing that is answered has keys that are no texts.
        Err(error) => of(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain; charset=utf-8",
            error.to_string(),
        ),
    }
}

/// `{"error": {..}}`.
pub(super) fn refusal(refusal: &Refusal) -> Reply {
    #[derive(Serialize)]
    struct Body<'a> {
        error: &'a Refusal,
    }
    let mut reply = json(refusal.status, &Body { error: refusal });
    if let Some(seconds) = refusal.retry_after {
        reply
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

/// The method is not one of a route.
pub(super) fn method_not_allowed(method: &str, allowed: &'static str) -> Reply {
    let wrong = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take such requests",
        "use another method",
    );
    let mut reply = refusal(&wrong.of(allowed, method));
    set(&mut reply, ALLOW, allowed);
    reply
}
