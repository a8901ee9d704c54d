//! Reads bodies, within limits.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use crate::http::service::Service;
use crate::limits::client::Client;
use crate::limits::quota::{Full, Share};
use crate::refusal::Refusal;

/// The whole body, and its share of the memory for bodies.
pub(super) async fn read(
    service: &Service,
    client: Client,
    body: Incoming,
) -> Result<(Bytes, Arc<Share>), Refusal> {
    let most = service.settings.max_body;
    let announced = body.size_hint().exact();
    if let Some(announced) = announced.filter(|announced| *announced > most) {
        return Err(too_large(most, announced));
    }
    let share = service.bodies.take(Some(client), announced.unwrap_or(0));
    let mut share = share.map_err(full)?;
    let patience = service.settings.read_timeout;
    let bytes = timeout(patience, collect(body, most, announced, &mut share)).await;
    let bytes = bytes.map_err(|_| {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the body of the request did not come in time",
            "send it faster, or send a smaller image",
        )
        .of(
            format!("the whole body within {patience:?}"),
            "a part of it",
        )
    })??;
    service.metrics.body_bytes.add(bytes.len() as u64);
    Ok((bytes, Arc::new(share)))
}

async fn collect(
    mut body: Incoming,
    most: u64,
    announced: Option<u64>,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::bad_request(
                "the body of the request cannot be read",
                "send as many bytes as Content-Length says, or chunks (RFC 9112)",
            )
            .of("a whole body", error)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let before = first.len() + all.len();
        if (before + data.len()) as u64 > most {
            return Err(too_large(most, "more"));
        }
        if announced.is_none() {
            share.grow(data.len() as u64).map_err(full)?;
        }
        match before {
            0 => first = data,
            _ => {
                if all.is_empty() {
                    // At once: to grow step by step leaves holes of all sizes in the memory.
                    all.reserve(announced.unwrap_or(0) as usize);
                }
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn too_large(most: u64, found: impl ToString) -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        "the body of the request is too large",
        "send a smaller copy of the image, or fewer images",
    )
    .of(format!("at most {most} bytes"), found)
}

fn full(full: Full) -> Refusal {
    match full {
        Full::All => Refusal::overloaded("the service holds as many bytes of requests as it may"),
        Full::Client => Refusal::too_many("this client sends as many bytes at a time as it may"),
    }
}
