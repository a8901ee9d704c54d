//! Limits of one request.

use std::fmt::Write as _;
use std::time::Duration;

use crate::client::{Connection, get, post, predict};
use crate::model::{bomb, config, photo, png, predictor, serve, unresized};

#[test]
fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let server = serve(predictor(), &config().with_max_body(1000).unwrap());
    let address = server.address();
    let error = predict(address, &[0; 1001]).refused(413, "too_large");
    assert!(
        error["expected"].as_str().unwrap().contains("1000"),
        "{error}"
    );
    assert_eq!(error["found"], "1001");
    // Before a byte of it is sent.
    let mut connection = Connection::new(address);
    connection.send(
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n",
    );
    connection.receive().unwrap().refused(413, "too_large");
    // In chunks, of which the sum is too large.
    let mut connection = Connection::new(address);
    connection
        .send(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"190\r\n".as_slice(), &[0; 0x190], b"\r\n"].concat();
    for _ in 0..3 {
        connection.send(&chunk);
    }
    connection.receive().unwrap().refused(413, "too_large");
    // Chunks within the limit are a body as any other.
    let image = png(8, 8, |_, _| [9; 3]);
    let mut connection = Connection::new(address);
    connection
        .send(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for part in image.chunks(10) {
        connection.send(format!("{:x}\r\n", part.len()).as_bytes());
        connection.send(part);
        connection.send(b"\r\n");
    }
    connection.send(b"0\r\n\r\n");
    assert_eq!(connection.receive().unwrap().status, 200);
}

#[test]
fn a_client_that_sends_far_too_much_still_sees_why_it_is_refused() {
    let server = serve(predictor(), &config().with_max_body(1000).unwrap());
    for _ in 0..5 {
        let mut connection = Connection::new(server.address());
        connection.post("/predict", "", &vec![0; 8 << 20]);
        connection.receive().unwrap().refused(413, "too_large");
    }
}

#[test]
fn an_image_of_too_many_pixels_is_refused_before_it_is_decoded() {
    let server = serve(predictor(), &config());
    let error = predict(server.address(), &bomb()).refused(413, "too_many_pixels");
    assert!(
        error["message"].as_str().unwrap().contains("pixels"),
        "{error}"
    );
    let server = serve(predictor(), &config().with_max_pixels(100).unwrap());
    assert_eq!(
        predict(server.address(), &png(10, 10, |_, _| [9; 3])).status,
        200
    );
    let error = predict(server.address(), &png(101, 1, |_, _| [9; 3]));
    let error = error.refused(413, "too_many_pixels");
    assert_eq!(error["found"], "101x1");
    // What a network takes as it is must be smaller than what is resized.
    let large = png(2001, 2001, |_, _| [9; 3]);
    let server = serve(unresized(), &config());
    predict(server.address(), &large).refused(413, "too_many_pixels");
}

#[test]
fn a_request_has_so_many_images_at_most() {
    let server = serve(predictor(), &config().with_max_images(2).unwrap());
    let json = "Content-Type: application/json\r\n";
    let body = |n: usize| format!(r#"{{"images": [{}]}}"#, vec![r#""eA==""#; n].join(","));
    let ask = |n| post(server.address(), "/predict", json, body(n).as_bytes());
    assert_eq!(ask(2).json()["predictions"].as_array().unwrap().len(), 2);
    ask(3).refused(413, "too_many_images");
    ask(100_000).refused(413, "too_many_images");
    ask(0).refused(400, "bad_request");
    let mut form = String::new();
    for i in 0..3 {
        let _ = write!(
            form,
            "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{i}\"\r\n\r\nx\r\n"
        );
    }
    form.push_str("--b--\r\n");
    let kind = "Content-Type: multipart/form-data; boundary=b\r\n";
    post(server.address(), "/predict", kind, form.as_bytes()).refused(413, "too_many_images");
}

#[test]
fn a_body_of_another_kind_is_refused() {
    let server = serve(predictor(), &config());
    let ask = |headers: &str| post(server.address(), "/predict", headers, &photo(1));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "video/mp4",
        "",
        "\u{7f}",
    ] {
        let answer = ask(&format!("Content-Type: {kind}\r\n"));
        if answer.status != 400 {
            let error = answer.refused(415, "unsupported_media_type");
            assert!(
                error["expected"].as_str().unwrap().contains("image/"),
                "{error}"
            );
        }
    }
    ask("Content-Encoding: gzip\r\n").refused(415, "unsupported_media_type");
    ask("Content-Type: multipart/form-data\r\n").refused(400, "bad_request");
    assert_eq!(ask("Content-Type: IMAGE/PNG; q=1\r\n").status, 200);
}

#[test]
fn who_sends_too_slowly_is_cut_off() {
    let patience = Duration::from_millis(300);
    let server = serve(predictor(), &config().with_read_timeout(patience).unwrap());
    let address = server.address();
    // The head never ends.
    let mut slow = Connection::new(address);
    slow.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ");
    assert!(slow.receive().is_none_or(|answer| answer.status == 408));
    // Nothing comes at all, at first and after a request.
    assert!(Connection::new(address).is_closed());
    let mut idle = Connection::new(address);
    assert_eq!(idle.ask("GET", "/health").status, 200);
    assert!(idle.is_closed());
    // The body never ends.
    let mut slow = Connection::new(address);
    slow.send(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc");
    slow.receive().unwrap().refused(408, "request_timeout");
    assert_eq!(get(address, "/health").status, 200);
}
