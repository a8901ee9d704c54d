//! `GET /`: a page on which a person drops an image.

use std::sync::LazyLock;

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use sha2::{Digest as _, Sha256};
use vision_figure::base64;

use crate::http::reply::{self, Reply};

const PAGE: &str = include_str!("../../page/page.html");
const STYLE: &str = include_str!("../../page/page.css");
const SCRIPT: &str = include_str!("../../page/page.js");

struct Page {
    html: String,
    /// The page may run this script, wear this style and ask this service, and nothing else.
    policy: String,
}

static WHOLE: LazyLock<Page> = LazyLock::new(|| {
    let hash = |text: &str| base64(&Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; \
         img-src blob: data:; style-src 'sha256-{}'; script-src 'sha256-{}'",
        hash(STYLE),
        hash(SCRIPT)
    );
    Page {
        html: PAGE.replace("{style}", STYLE).replace("{script}", SCRIPT),
        policy,
    }
});

pub(super) fn page() -> Reply {
    let page = &*WHOLE;
    let mut answer = reply::of(
        StatusCode::OK,
        "text/html; charset=utf-8",
        page.html.as_str(),
    );
    // Letters, digits and signs of base64.
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply::set(&mut answer, REFERRER_POLICY, "no-referrer");
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    reply::set(&mut answer, opener, "same-origin");
    answer
}
