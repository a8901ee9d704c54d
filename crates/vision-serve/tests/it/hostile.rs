//! Requests that nobody sends by accident: the service answers or closes, and lives.

use std::net::{Shutdown, TcpStream};

use crate::client::{Connection, metric, predict};
use crate::model::{config, photo, predictor, serve};

#[test]
fn nothing_that_is_sent_ends_the_service() {
    let server = serve(predictor(), &config());
    let address = server.address();
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(10_000)
    );
    let big = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "y".repeat(1 << 20)
    );
    let post = |rest: &str| format!("POST /predict HTTP/1.1\r\nHost: localhost\r\n{rest}");
    let requests: Vec<Vec<u8>> = [
        "\r\n\r\n\r\n\r\n",
        "GET",
        "GET /\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n no: name\r\n\r\n",
        "GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        long.as_str(),
        many.as_str(),
        big.as_str(),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain(
        [
            "Content-Length: -1\r\n\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            "Content-Length: 99999999999999999999999\r\n\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc",
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nabcde\r\n0\r\nA: b\r\n\r\n",
            "Transfer-Encoding: gzip\r\n\r\nabc",
            "Content-Length: 10\r\n\r\nabc",
            "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{\"i",
            "Content-Type: multipart/form-data; boundary=\"\"\r\nContent-Length: 3\r\n\r\n---",
            "Content-Type: multipart/form-data; boundary=a\r\nContent-Length: 3\r\n\r\n--a",
            "Expect: nothing\r\nContent-Length: 3\r\n\r\nabc",
        ]
        .iter()
        .map(|rest| post(rest).into_bytes()),
    )
    // The hello of TLS, and noise.
    .chain([
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        (0..=255).cycle().take(9999).collect(),
    ])
    .collect();
    for request in &requests {
        let mut connection = Connection::new(address);
        connection.send(request);
        half_close(&connection);
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        if let Some(answer) = connection.receive() {
            assert!(answer.status < 500, "{shown}: {answer:?}");
        }
        assert_eq!(predict(address, &photo(1)).status, 200, "{shown}");
    }
    assert_eq!(metric(address, "vision_panics_total"), 0.0);
    assert_eq!(metric(address, "vision_held_bytes"), 0.0);
}

fn half_close(connection: &Connection) {
    let _ = stream(connection).shutdown(Shutdown::Write);
}

fn stream(connection: &Connection) -> &TcpStream {
    connection.stream()
}

#[test]
fn damaged_requests_of_every_kind_are_answered_or_closed() {
    let server = serve(predictor(), &config());
    let address = server.address();
    let image = photo(7);
    let form = [
        b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n".as_slice(),
        &image,
        b"\r\n--b--\r\n",
    ]
    .concat();
    let json = br#"{"images": ["iVBORw0KGgo=", "data:image/png;base64,AAAA"]}"#.to_vec();
    let kinds = [
        ("image/png", image),
        ("multipart/form-data; boundary=b", form),
        ("application/json", json),
    ];
    // Its own small generator, so that a failure can be repeated.
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for round in 0..300 {
        let (kind, body) = &kinds[round % 3];
        let mut body = body.clone();
        for _ in 0..1 + random(4) {
            let at = random(body.len());
            match random(3) {
                0 => body[at] = random(256) as u8,
                1 => body.truncate(at.max(1)),
                _ => body.insert(at, random(256) as u8),
            }
        }
        let mut connection = Connection::new(address);
        connection.post(
            "/predict?heatmap=true",
            &format!("Content-Type: {kind}\r\n"),
            &body,
        );
        let answer = connection.receive().unwrap();
        assert!(
            [200, 400, 413, 422].contains(&answer.status),
            "{round}: {answer:?}"
        );
        answer.json();
    }
    assert_eq!(metric(address, "vision_panics_total"), 0.0);
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let server = serve(predictor(), &config());
    let mut connection = Connection::new(server.address());
    let image = photo(1);
    let head = format!(
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        image.len()
    );
    let predict = [head.as_bytes(), &image].concat();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
    connection.send(
        &[
            get("/health"),
            predict.clone(),
            get("/nothing"),
            predict,
            get("/ready"),
        ]
        .concat(),
    );
    let statuses: Vec<u16> = (0..5)
        .map(|_| connection.receive().unwrap().status)
        .collect();
    assert_eq!(statuses, [200, 200, 404, 200, 200]);
    // An old client, which gets one answer.
    let mut old = Connection::new(server.address());
    old.send(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(old.receive().unwrap().status, 200);
    assert!(old.is_closed());
}
