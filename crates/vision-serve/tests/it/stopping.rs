//! How a service begins and ends.

use std::net::TcpStream;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use vision_serve::Server;

use crate::client::{Connection, wait_for};
use crate::model::{GATE, TURN, config, green, moody, predictor, serve};

#[test]
fn what_has_come_in_is_answered_before_the_end() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    GATE.close();
    let server = serve(moody(), &config().with_threads(1).unwrap());
    let address = server.address();
    let mut waiting: Vec<Connection> = Vec::new();
    for _ in 0..4 {
        let mut connection = Connection::new(address);
        connection.post("/predict", "", &green());
        waiting.push(connection);
    }
    GATE.wait(1);
    wait_for(address, "vision_queue", 3.0);
    let mut idle = Connection::new(address);
    assert_eq!(idle.ask("GET", "/ready").status, 200);
    // It asks during the end: the head of its request has begun.
    let mut late = Connection::new(address);
    late.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n");
    let stopping = thread::spawn(move || server.stop());
    // An idle connection is closed, and no new one is taken.
    assert!(idle.is_closed());
    while TcpStream::connect(address).is_ok() {
        thread::sleep(Duration::from_millis(5));
    }
    late.send(b"\r\n");
    if let Some(answer) = late.receive() {
        answer.refused(503, "stopping");
    }
    GATE.open(4);
    for mut waiting in waiting {
        assert_eq!(waiting.receive().unwrap().status, 200);
    }
    assert_eq!(stopping.join().unwrap().unanswered, 0);
}

#[test]
fn the_end_does_not_wait_for_ever_and_says_what_was_left() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    GATE.close();
    let config = config().with_threads(1).unwrap();
    let server = serve(
        moody(),
        &config.with_drain(Duration::from_millis(100)).unwrap(),
    );
    let mut waiting = Connection::new(server.address());
    waiting.post("/predict", "", &green());
    GATE.wait(1);
    assert_eq!(server.stop().unanswered, 1);
    assert!(waiting.receive().is_none());
    GATE.open(1);
}

#[test]
fn a_service_that_is_dropped_frees_its_address() {
    let server = serve(predictor(), &config());
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
    let again = serve(predictor(), &config().with_listen(address));
    assert_eq!(again.stop().unanswered, 0);
}

#[test]
fn an_address_that_cannot_be_used_is_an_error_that_names_it() {
    let server = serve(predictor(), &config());
    let address = server.address();
    let error = Server::start(predictor(), &config().with_listen(address)).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&address.to_string()), "{message}");
    assert!(message.contains("another port"), "{message}");
    let foreign = config().with_listen("192.0.2.1:0".parse().unwrap());
    let message = Server::start(predictor(), &foreign)
        .unwrap_err()
        .to_string();
    assert!(message.contains("192.0.2.1:0"), "{message}");
}
