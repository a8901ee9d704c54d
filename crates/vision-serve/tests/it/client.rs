//! A client on a plain socket, which can send what a library would not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of an error, which says what to do.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        let error = self.json()["error"].clone();
        assert_eq!(
            (&error["status"], &error["code"]),
            (&status.into(), &code.into()),
            "{error}"
        );
        for field in ["message", "do"] {
            assert!(
                error[field].as_str().is_some_and(|text| !text.is_empty()),
                "{error}"
            );
        }
        error
    }
}

/// A connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // A test fails instead of waiting for ever.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes; the service may have closed the connection already.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// The next answer; `None` if the service closes the connection without one.
    pub(crate) fn receive(&mut self) -> Option<Answer> {
        self.received(false)
    }

    fn received(&mut self, head_only: bool) -> Option<Answer> {
        let mut line = || {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(line.trim_end().to_owned()),
            }
        };
        let first = line()?;
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |n| n.parse().unwrap());
        if !head_only && status >= 200 {
            answer.body = vec![0; length];
            self.0.read_exact(&mut answer.body).ok()?;
        }
        Some(answer)
    }

    /// Whether the service has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 1]), Ok(0) | Err(_))
    }

    pub(crate) fn post(&mut self, path: &str, headers: &str, body: &[u8]) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat());
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str) -> Answer {
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        self.received(method == "HEAD").unwrap()
    }
}

/// A request of its own connection.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    Connection::new(address).ask("GET", path)
}

pub(crate) fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut connection = Connection::new(address);
    connection.post(path, headers, body);
    connection.receive().unwrap()
}

/// Predicts the bytes of an image.
pub(crate) fn predict(address: SocketAddr, image: &[u8]) -> Answer {
    post(address, "/predict", "", image)
}

/// The value of a metric without labels.
pub(crate) fn metric(address: SocketAddr, name: &str) -> f64 {
    let answer = get(address, "/metrics");
    let value = answer
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name}")).parse().unwrap()
}

/// Waits until a metric has a value.
pub(crate) fn wait_for(address: SocketAddr, name: &str, value: f64) {
    for _ in 0..6000 {
        if metric(address, name) == value {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{name} is {}, not {value}", metric(address, name));
}

impl Connection {
    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }
}
