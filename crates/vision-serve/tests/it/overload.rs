//! More than the service can do: who waits, who is refused, and what is not done.

use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use crate::client::{Connection, get, metric, predict, wait_for};
use crate::model::{GATE, TURN, config, green, moody, photo, predictor, serve};

fn turn() -> std::sync::MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    GATE.close();
    turn
}

/// A request of a client of this address, by a proxy that is trusted.
fn of(address: std::net::SocketAddr, client: &str, image: &[u8]) -> Connection {
    let mut connection = Connection::new(address);
    connection.post(
        "/predict",
        &format!("X-Forwarded-For: 8.8.8.8, {client}\r\n"),
        image,
    );
    connection
}

#[test]
fn a_full_queue_answers_at_once() {
    let _turn = turn();
    let config = config().with_threads(1).unwrap().with_max_queue(3).unwrap();
    let config = config
        .with_max_images(1)
        .unwrap()
        .with_client_share(0.7)
        .unwrap();
    let proxy = "127.0.0.1".parse().unwrap();
    let server = serve(moody(), &config.with_trusted_proxy(proxy));
    let address = server.address();
    // One is computed, which the gate holds; two of the client may wait.
    let mut waiting = vec![of(address, "10.0.0.1", &green())];
    GATE.wait(1);
    for wait in 1..=2 {
        waiting.push(of(address, "10.0.0.1", &green()));
        wait_for(address, "vision_queue", f64::from(wait));
    }
    let mut refused = of(address, "10.0.0.1", &photo(1));
    let answer = refused.receive().unwrap();
    answer.refused(429, "too_many_requests");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Another client may wait too, and then nobody.
    waiting.push(of(address, "10.0.0.2", &green()));
    wait_for(address, "vision_queue", 3.0);
    let mut refused = of(address, "10.0.0.3", &photo(1));
    let answer = refused.receive().unwrap();
    answer.refused(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // The connection of a refused request serves the next one, and what needs no thread is answered.
    assert_eq!(refused.ask("GET", "/ready").status, 200);
    GATE.open(4);
    for mut waiting in waiting {
        assert_eq!(waiting.receive().unwrap().status, 200);
    }
    assert_eq!(predict(address, &photo(1)).status, 200);
}

#[test]
fn a_client_with_one_request_does_not_wait_for_one_with_two_hundred() {
    let _turn = turn();
    let config = config()
        .with_threads(1)
        .unwrap()
        .with_client_share(1.0)
        .unwrap();
    let proxy = "127.0.0.1".parse().unwrap();
    let server = serve(moody(), &config.with_trusted_proxy(proxy));
    let address = server.address();
    let greedy: Vec<Connection> = (0..200)
        .map(|_| of(address, "10.0.0.1", &green()))
        .collect();
    GATE.wait(1);
    wait_for(address, "vision_queue", 199.0);
    let mut modest = of(address, "10.0.0.2", &photo(1));
    wait_for(address, "vision_queue", 200.0);
    // The one that is computed, the next one of the greedy client, and then it is the other one's turn.
    GATE.open(2);
    assert_eq!(modest.receive().unwrap().status, 200);
    wait_for(address, "vision_queue", 197.0);
    GATE.open(usize::MAX);
    for mut greedy in greedy {
        assert_eq!(greedy.receive().unwrap().status, 200);
    }
}

#[test]
fn a_request_that_takes_too_long_is_answered_and_not_computed_anymore() {
    let _turn = turn();
    let config = config().with_threads(1).unwrap();
    let config = config.with_timeout(Duration::from_millis(300)).unwrap();
    let server = serve(moody(), &config);
    let address = server.address();
    let mut first = of(address, "", &green());
    GATE.wait(1);
    let answer = predict(address, &green());
    let error = answer.refused(503, "overloaded");
    assert!(
        error["message"].as_str().unwrap().contains("300ms"),
        "{error}"
    );
    first.receive().unwrap().refused(503, "overloaded");
    GATE.open(1);
    wait_for(address, "vision_given_up_total", 1.0);
    assert_eq!(GATE.come(), 1, "the second one never came to the model");
    assert_eq!(predict(address, &photo(1)).status, 200);
}

#[test]
fn work_for_a_client_that_is_gone_is_not_done() {
    let _turn = turn();
    let server = serve(moody(), &config().with_threads(1).unwrap());
    let address = server.address();
    let mut first = of(address, "", &green());
    GATE.wait(1);
    let gone: Vec<Connection> = (0..5).map(|_| of(address, "", &green())).collect();
    wait_for(address, "vision_queue", 5.0);
    drop(gone);
    // The first one, and the request for the metrics.
    wait_for(address, "vision_requests", 2.0);
    GATE.open(1);
    assert_eq!(first.receive().unwrap().status, 200);
    wait_for(address, "vision_given_up_total", 5.0);
    assert_eq!(GATE.come(), 1);
}

#[test]
fn connections_are_limited_for_each_client_and_in_all() {
    let config = config().with_max_connections(2).unwrap();
    let server = serve(predictor(), &config.with_client_share(0.5).unwrap());
    let address = server.address();
    let mut first = Connection::new(address);
    assert_eq!(first.ask("GET", "/health").status, 200);
    let mut second = Connection::new(address);
    let answer = second.receive().unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"]["code"], "too_many_connections");
    assert!(second.is_closed());
    // The first one goes on, and makes room when it ends.
    let refused = |first: &mut Connection| {
        let text = first.ask("GET", "/metrics");
        let line = text
            .text()
            .lines()
            .find(|line| line.starts_with("vision_refused_connections"));
        line.unwrap().ends_with(" 1")
    };
    assert!(refused(&mut first));
    drop(first);
    for _ in 0..1000 {
        let mut next = Connection::new(address);
        next.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if next.receive().is_some_and(|answer| answer.status == 200) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("there is no room again");
}

#[test]
fn bodies_share_a_limit_of_memory() {
    let config = config()
        .with_max_body(1000)
        .unwrap()
        .with_max_buffered(2500)
        .unwrap();
    let server = serve(predictor(), &config.with_client_share(0.4).unwrap());
    let address = server.address();
    // It announces 900 bytes and sends none.
    let mut slow = Connection::new(address);
    slow.send(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n");
    wait_for(address, "vision_held_bytes", 900.0);
    predict(address, &[0; 200]).refused(429, "too_many_requests");
    drop(slow);
    wait_for(address, "vision_held_bytes", 0.0);
    predict(address, &[0; 200]).refused(422, "bad_image");
    assert_eq!(metric(address, "vision_held_bytes"), 0.0);
    assert_eq!(get(address, "/ready").status, 200);
}
