//! Which request is answered by what.

use std::net::IpAddr;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderMap, HeaderValue, VARY,
};
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use crate::http::reply::{self, Reply};
use crate::http::service::Service;
use crate::http::{guard, page, predict};
use crate::limits::client::Client;
use crate::refusal::Refusal;

const READ: &str = "GET, HEAD, OPTIONS";
const PREDICT: &str = "POST, OPTIONS";

/// The routes, as metrics name them, with their methods.
const ROUTES: [(&str, &str); 6] = [
    ("/", READ),
    ("/health", READ),
    ("/ready", READ),
    ("/metrics", READ),
    ("/model", READ),
    ("/predict", PREDICT),
];

/// The answer to a request of the client with this address.
pub(super) async fn answer(service: &Service, peer: IpAddr, request: Request<Incoming>) -> Reply {
    let begin = Instant::now();
    let _counted = service.request();
    let path = request.uri().path();
    let route = ROUTES.iter().find(|(route, _)| *route == path).copied();
    let (name, methods) = route.unwrap_or(("other", READ));
    let checked = guard::check_host(&service.settings, request.uri(), request.headers());
    let origin = checked.and_then(|()| {
        let (method, uri) = (request.method(), request.uri());
        guard::check_origin(&service.settings, method, uri, request.headers())
    });
    let (origin, answered) = match origin {
        Err(refusal) => (None, Err(refusal)),
        Ok(origin) => {
            let answered = match route {
                Some(_) => routed(service, peer, name, methods, request).await,
                None => Err(no_such_route(path)),
            };
            (origin, answered)
        }
    };
    let mut reply = answered.unwrap_or_else(|refusal| reply::refusal(&refusal));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        let headers = reply.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    let status = reply.status().as_u16();
    service.metrics.answered(name, status, begin.elapsed());
    reply
}

async fn routed(
    service: &Service,
    peer: IpAddr,
    name: &str,
    methods: &'static str,
    request: Request<Incoming>,
) -> Result<Reply, Refusal> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    match (name, request.method()) {
        (_, &Method::OPTIONS) => Ok(options(methods)),
        ("/predict", &Method::POST) => {
            let client = client(service, peer, request.headers());
            let (head, body) = request.into_parts();
            predict::predict(service, client, head.uri.query(), &head.headers, body).await
        }
        ("/", _) if is_read => Ok(page::page()),
        ("/health", _) if is_read => Ok(reply::json(StatusCode::OK, &json!({ "status": "ok" }))),
        ("/ready", _) if is_read => match service.is_ready() {
            true => Ok(reply::json(StatusCode::OK, &json!({ "status": "ready" }))),
            false => Err(Refusal::stopping()),
        },
        ("/metrics", _) if is_read => Ok(reply::of(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            service.metrics.text(service.gauges()),
        )),
        ("/model", _) if is_read => Ok(reply::of(
            StatusCode::OK,
            "application/json",
            service.card.clone(),
        )),
        (_, method) => Ok(reply::method_not_allowed(method.as_str(), methods)),
    }
}

/// Who is behind the address: the client itself, or the one that a trusted proxy names.
fn client(service: &Service, peer: IpAddr, headers: &HeaderMap) -> Client {
    let is_trusted = service.settings.proxies.contains(&peer.to_canonical());
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let forwarded = forwarded
        .filter(|_| is_trusted)
        .and_then(|value| Client::forwarded(value.to_str().ok()?));
    forwarded.unwrap_or_else(|| Client::of(peer))
}

fn options(methods: &'static str) -> Reply {
    let mut reply = reply::of(StatusCode::NO_CONTENT, "text/plain", "");
    reply::set(&mut reply, ALLOW, methods);
    reply::set(&mut reply, ACCESS_CONTROL_ALLOW_METHODS, methods);
    reply::set(&mut reply, ACCESS_CONTROL_ALLOW_HEADERS, "content-type");
    reply::set(&mut reply, ACCESS_CONTROL_MAX_AGE, "600");
    reply
}

fn no_such_route(path: &str) -> Refusal {
    let names = ROUTES.map(|(route, _)| route).join(", ");
    Refusal::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing at this address",
        "POST an image to /predict, or open / in a browser",
    )
    .of(names, path)
}
