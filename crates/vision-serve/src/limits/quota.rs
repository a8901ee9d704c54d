//! An amount that all clients share: connections, or bytes of bodies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::client::Client;

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// That of all clients.
    All,
    /// That of one client.
    Client,
}

/// So much for all clients together, and so much for each.
#[derive(Debug)]
pub(crate) struct Quota {
    most: u64,
    most_each: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: u64,
    clients: HashMap<Client, u64>,
}

/// The share of the total that is `share`, at least `least`.
pub(crate) fn share_of(total: u64, share: f64, least: u64) -> u64 {
    ((total as f64 * share) as u64)
        .max(least)
        .min(total.max(least))
}

impl Quota {
    pub(crate) fn new(most: u64, most_each: u64) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_each,
            held: Mutex::default(),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that holds the lock can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes some for a client; `None` counts for all alone.
    pub(crate) fn take(
        self: &Arc<Self>,
        client: Option<Client>,
        amount: u64,
    ) -> Result<Share, Full> {
        let mut share = Share {
            quota: Arc::clone(self),
            client,
            amount: 0,
        };
        share.grow(amount)?;
        Ok(share)
    }

    /// How much is held.
    pub(crate) fn all(&self) -> u64 {
        self.held().all
    }
}

/// What a client holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Arc<Quota>,
    client: Option<Client>,
    amount: u64,
}

impl Share {
    /// Takes more.
    pub(crate) fn grow(&mut self, more: u64) -> Result<(), Full> {
        let quota = &self.quota;
        let mut held = quota.held();
        if held.all.saturating_add(more) > quota.most {
            return Err(Full::All);
        }
        if let Some(client) = self.client {
            let own = held.clients.get(&client).copied().unwrap_or(0);
            if own.saturating_add(more) > quota.most_each {
                return Err(Full::Client);
            }
            if more > 0 {
                held.clients.insert(client, own + more);
            }
        }
        held.all += more;
        self.amount += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.quota.held();
        held.all -= self.amount;
        if let Some(client) = self.client
            && let Some(own) = held.clients.get_mut(&client)
        {
            *own -= self.amount;
            // A list of all clients that ever came would grow without end.
            if *own == 0 {
                held.clients.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn shares_are_limited_and_come_back() {
        let client = |n: u8| Some(Client::of([10, 0, 0, n].into()));
        let quota = Quota::new(10, 6);
        let mut first = quota.take(client(1), 4).unwrap();
        assert_eq!(first.grow(3).unwrap_err(), Full::Client);
        first.grow(2).unwrap();
        assert_eq!(quota.take(client(1), 1).unwrap_err(), Full::Client);
        let second = quota.take(client(2), 4).unwrap();
        assert_eq!(quota.take(client(3), 1).unwrap_err(), Full::All);
        assert_eq!(quota.take(None, 1).unwrap_err(), Full::All);
        drop(first);
        assert_eq!(quota.all(), 4);
        let rest = quota.take(None, 6).unwrap();
        assert_eq!(quota.take(client(1), 1).unwrap_err(), Full::All);
        drop((second, rest));
        assert_eq!(quota.all(), 0);
        assert!(quota.held().clients.is_empty());
    }

    #[test]
    fn a_share_is_at_least_one_thing_and_at_most_all() {
        assert_eq!(share_of(512, 0.5, 1), 256);
        assert_eq!(share_of(1, 0.001, 1), 1);
        assert_eq!(share_of(100, 0.5, 80), 80);
        assert_eq!(share_of(100, 1.0, 1), 100);
    }
}
