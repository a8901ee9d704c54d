//! The service: how it begins, answers and ends.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};

use serde_json::Value;

use crate::support::{TRAINED, start, vision};

/// A request, and the JSON of its answer.
fn ask(address: &str, head: &str, body: &[u8]) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A running service and its address.
fn serve(options: &[&str]) -> (Child, String) {
    let arguments = ["serve", "run", "--listen=127.0.0.1:0", "--json"];
    let mut child = start(TRAINED.path(), &[&arguments, options].concat());
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let address = said["address"].as_str().unwrap().to_owned();
    assert_eq!(said["url"], format!("http://{address}"));
    (child, address)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn the_service_answers_as_vision_predict_and_ends_cleanly() {
    let image = "digits/valid/3/00000.png";
    let printed = vision(
        TRAINED.path(),
        ["predict", "run", image, "--json", "--top=2"],
    )
    .ends(0)
    .json();
    let bytes = fs::read(TRAINED.path().join(image)).unwrap();
    for (end, options) in [
        ("-TERM", vec![]),
        ("-INT", vec!["--threads=1", "--max-batch=4", "--max-wait=1"]),
    ] {
        let (child, address) = serve(&options);
        let mut row = ask(&address, "POST /predict?top=2", &bytes);
        row["image"] = image.into();
        // As texts, which differ if a bit of a probability does.
        assert_eq!(row.to_string(), printed.to_string());
        let map = ask(&address, "POST /predict?heatmap=true", &bytes);
        assert!(
            map["heatmap"]["image"].is_string() || map["heatmap"]["error"].is_string(),
            "{map}"
        );
        assert_eq!(ask(&address, "GET /model", b"")["arch"], "resnet18");
        signal(&child, end);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("is served on http://127.0.0.1:"), "{said}");
        assert!(
            !said.contains("panicked") && !said.contains("warning: every machine"),
            "{said}"
        );
    }
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    let (child, address) = serve(&[]);
    // A request that does not end, for which the service waits.
    let mut open = TcpStream::connect(address).unwrap();
    open.write_all(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
        .unwrap();
    let mut child = child;
    signal(&child, "-INT");
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("answering what has come in")));
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn what_hinders_a_service_is_one_message() {
    let path = TRAINED.path();
    for (option, said) in [
        ("--listen=here", "127.0.0.1:8080"),
        ("--listen=127.0.0.1", "127.0.0.1:8080"),
        ("--threads=0", "threads: expected 1 to 1024"),
        ("--max-batch=9999", "max_batch"),
        ("--max-body=0", "max_body"),
        ("--client-share=2", "client_share"),
        ("--timeout=-1", "--timeout"),
        ("--timeout=1e300", "--timeout"),
        ("--drain=100000", "drain"),
        ("--trust-proxy=proxy", "--trust-proxy"),
    ] {
        vision(path, ["serve", "run", option]).ends(2).says(said);
    }
    vision(path, ["serve", "none.safetensors"])
        .ends(1)
        .says("none.safetensors");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    vision(path, ["serve", "run", "--listen", &address])
        .ends(1)
        .says(&address)
        .says("another port");
}
