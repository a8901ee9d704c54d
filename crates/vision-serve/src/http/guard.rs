//! Which names and which web pages may use the service.

use std::net::IpAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Method, StatusCode, Uri};

use crate::refusal::Refusal;
use crate::settings::Settings;

/// Refuses names that are none of this service, which a web page may use to reach it (DNS rebinding).
pub(super) fn check_host(
    settings: &Settings,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    if settings.is_open && settings.hosts.is_empty() {
        return Ok(());
    }
    let host = host(uri, headers);
    let name = host.as_deref().map(without_port).unwrap_or_default();
    if is_address(name)
        || name == "localhost"
        || name.ends_with(".localhost")
        || settings.hosts.iter().any(|allowed| allowed == name)
    {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "forbidden_host",
        "the service does not go by this name",
        "use its address, or start it with --allow-host NAME (ServeConfig::with_allowed_host)",
    )
    .of("localhost or an address in the Host header", name))
}

/// Refuses requests that a web page of another origin sends, and returns the origin that is told of in the answer, if any.
pub(super) fn check_origin(
    settings: &Settings,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<String>, Refusal> {
    let Some(origin) = headers.get(ORIGIN) else {
        return Ok(None);
    };
    let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    let is_allowed = |allowed: &String| allowed == "*" || *allowed == origin;
    if settings.origins.iter().any(is_allowed) {
        return Ok(Some(origin));
    }
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = host(uri, headers);
    let is_own = authority.is_some() && authority.map(str::to_ascii_lowercase) == host;
    // Without a header that allows it, a browser does not give the answer of a GET to the page.
    if is_own || method == Method::GET || method == Method::HEAD {
        return Ok(None);
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        "forbidden_origin",
        "web pages of this origin may not use the service",
        "start it with --allow-origin ORIGIN (ServeConfig::with_allowed_origin)",
    )
    .of(
        "a request of the service's own page, or of a program",
        origin,
    ))
}

/// Name and port, in lower case.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let authority = uri.authority().map(|authority| authority.as_str());
    let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.or_else(header).map(str::to_ascii_lowercase)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_address(name: &str) -> bool {
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    inner.unwrap_or(name).parse::<IpAddr>().is_ok()
}
