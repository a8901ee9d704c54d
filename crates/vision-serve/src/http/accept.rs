//! Takes connections, and serves them until the service ends.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::http::race::{First, race};
use crate::http::routes;
use crate::http::service::Service;
use crate::http::stream::Stream;
use crate::limits::client::Client;
use crate::limits::quota::Quota;

/// Bytes of the head of a request, at most.
const HEAD: usize = 64 << 10;
/// Clients at a time that are told that there are too many.
const REFUSALS: u64 = 64;
/// How long that may take.
const REFUSAL: Duration = Duration::from_secs(2);

const TOO_MANY: &str = "{\"error\":{\"status\":503,\"code\":\"too_many_connections\",\"message\":\"there are as many \
    connections as there may be\",\"do\":\"try again after retry_after seconds\",\"retry_after\":1}}\n";

/// Serves connections until the service is stopped and all of them have ended.
pub(crate) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let mut stop = service.stop.clone();
    let refusals = Quota::new(REFUSALS, REFUSALS);
    // Closed when the last connection has dropped its end.
    let (open, mut closed) = mpsc::channel::<Infallible>(1);
    loop {
        let stopped = pin!(stopped(&mut stop));
        let (stream, peer) = match race(stopped, pin!(listener.accept())).await {
            First::A(()) => break,
            First::B(Ok(accepted)) => accepted,
            First::B(Err(_)) => {
                // No more files, or a client that has gone already.
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let peer = peer.ip();
        let is_proxy = service.settings.proxies.contains(&peer.to_canonical());
        let client = (!is_proxy).then(|| Client::of(peer));
        match service.connections.take(client, 1) {
            Ok(share) => {
                let (service, open) = (Arc::clone(&service), open.clone());
                tokio::spawn(async move {
                    connection(stream, peer, &service).await;
                    drop((share, open));
                });
            }
            Err(_) => {
                service.metrics.refused_connections.add(1);
                if let Ok(share) = refusals.take(None, 1) {
                    tokio::spawn(async move {
                        let _ = timeout(REFUSAL, refuse(Stream::new(stream, REFUSAL))).await;
                        drop(share);
                    });
                }
            }
        }
    }
    drop((listener, open));
    closed.recv().await;
}

async fn connection(stream: TcpStream, peer: IpAddr, service: &Service) {
    // Answers are written whole.
    let _ = stream.set_nodelay(true);
    let patience = service.settings.read_timeout;
    let stream = TokioIo::new(Stream::new(stream, patience));
    let answer = service_fn(|request| async move {
        Ok::<_, Infallible>(routes::answer(service, peer, request).await)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD)
        .serve_connection(stream, answer);
    let mut serving = pin!(serving);
    let mut stop = service.stop.clone();
    // Errors are those of the client, which is gone.
    if let First::A(()) = race(pin!(stopped(&mut stop)), serving.as_mut()).await {
        serving.as_mut().graceful_shutdown();
        let _ = serving.await;
    }
}

/// Waits until the service is being stopped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // What it returns must not live on: it locks the value.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Tells a client that there are too many connections.
async fn refuse(mut stream: Stream) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 1\r\n\
         Connection: close\r\n\r\n{TOO_MANY}",
        TOO_MANY.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
