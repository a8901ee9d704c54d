//! Connections, requests and answers.

pub(crate) mod accept;
mod body;
pub(crate) mod card;
mod guard;
mod page;
mod predict;
mod query;
mod race;
mod reply;
mod routes;
pub(crate) mod service;
mod stream;
