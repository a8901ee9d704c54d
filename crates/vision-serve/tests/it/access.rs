//! Names, origins and proxies.

use crate::client::{Answer, Connection, get};
use crate::model::{config, photo, predictor, serve};

fn ask(address: std::net::SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut connection = Connection::new(address);
    let body = if method == "POST" {
        photo(1)
    } else {
        Vec::new()
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    connection.send(&[head.as_bytes(), &body].concat());
    connection.receive().unwrap()
}

#[test]
fn a_service_for_this_machine_goes_by_its_own_names_alone() {
    let server = serve(predictor(), &config().with_allowed_host("Pets.example.org"));
    let address = server.address();
    for host in [
        "localhost",
        "localhost:8080",
        "127.0.0.1",
        "127.0.0.1:99",
        "[::1]:8080",
        "LOCALHOST",
        "a.localhost:1",
        "pets.example.org",
        "PETS.example.org:443",
        "192.168.1.7",
    ] {
        let answer = ask(address, "GET", "/health", &format!("Host: {host}\r\n"));
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "%",
    ] {
        for (method, path) in [("GET", "/model"), ("POST", "/predict")] {
            let answer = ask(address, method, path, &format!("Host: {host}\r\n"));
            answer.refused(403, "forbidden_host");
        }
    }
    ask(address, "GET", "/health", "").refused(403, "forbidden_host");
    ask(
        address,
        "GET",
        "http://evil.example/health",
        "Host: localhost\r\n",
    )
    .refused(403, "forbidden_host");
}

#[test]
fn web_pages_of_others_may_use_it_only_if_it_is_told() {
    let closed = serve(predictor(), &config());
    let host = "Host: localhost:8080\r\n";
    let origin = |origin: &str| format!("{host}Origin: {origin}\r\n");
    let address = closed.address();
    for other in [
        "https://evil.example",
        "null",
        "http://localhost:9000",
        "localhost:8080",
    ] {
        ask(address, "POST", "/predict", &origin(other)).refused(403, "forbidden_origin");
        let read = ask(address, "GET", "/model", &origin(other));
        assert_eq!(
            (read.status, read.header("access-control-allow-origin")),
            (200, None)
        );
    }
    let own = ask(
        address,
        "POST",
        "/predict",
        &origin("http://localhost:8080"),
    );
    assert_eq!(own.status, 200);

    let open = serve(
        predictor(),
        &config().with_allowed_origin("https://pets.example.org"),
    );
    let address = open.address();
    let asked = format!(
        "{}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n",
        origin("https://pets.example.org")
    );
    let preflight = ask(address, "OPTIONS", "/predict", &asked);
    assert_eq!(preflight.status, 204);
    let allowed = |answer: &Answer| {
        answer
            .header("access-control-allow-origin")
            .map(str::to_owned)
    };
    assert_eq!(
        allowed(&preflight).as_deref(),
        Some("https://pets.example.org")
    );
    assert!(
        preflight
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    let answer = ask(
        address,
        "POST",
        "/predict",
        &origin("https://pets.example.org"),
    );
    assert_eq!(
        (answer.status, allowed(&answer).as_deref()),
        (200, Some("https://pets.example.org"))
    );
    assert_eq!(answer.header("vary"), Some("Origin"));
    ask(address, "POST", "/predict", &origin("https://evil.example"))
        .refused(403, "forbidden_origin");
    assert_eq!(allowed(&get(address, "/model")), None);
}
