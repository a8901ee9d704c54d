use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use vision_base::OptionError;

/// Why a service does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option is outside its range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; {}", advice(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The system starts no thread.
    #[error(
        "cannot start the threads of the service: {0}; allow the process more threads and files"
    )]
    Threads(#[from] io::Error),
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there: end it, or choose another port (0 takes a free one)"
        }
        io::ErrorKind::PermissionDenied => "choose a port from 1024 on",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: 127.0.0.1 is for this machine alone, 0.0.0.0 for all that reach it"
        }
        _ => "choose another address or port",
    }
}
