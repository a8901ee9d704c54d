//! Training by several processes, each of which has a part of every batch.

pub(crate) mod collective;
pub(crate) mod data_parallel;
mod files;
pub(crate) mod gpus;
pub(crate) mod handshake;
#[cfg(feature = "mpi")]
pub(crate) mod mpi;
pub(crate) mod norm;
pub(crate) mod part;
pub(crate) mod ranks;
pub(crate) mod sockets;
pub(crate) mod traffic;
