//! The service, on loopback, as clients meet it: good, hostile and too many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod client;
mod hostile;
mod limits;
mod model;
mod overload;
mod predicting;
mod routes;
mod stopping;
