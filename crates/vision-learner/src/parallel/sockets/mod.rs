//! Processes that are connected by TCP, each with each.

mod frame;
mod meeting;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use vision_base::OptionError;

use crate::Result;
use crate::parallel::collective::{Collective, LostRank};
use crate::parallel::sockets::frame::{Header, Kind};

/// Processes on one machine or several, connected by TCP, each with each. No other program is needed.
///
/// The connections are neither encrypted nor guarded by a password: use them in a network that you trust.
#[derive(Debug)]
pub struct Sockets {
    rank: usize,
    /// Connections to the other ranks; `None` at the place of this one.
    peers: Vec<Option<TcpStream>>,
    limit: Duration,
    /// Messages of two exchanges must not mix.
    busy: Mutex<()>,
}

/// How long nothing may come from another process by default. It may be saving a large checkpoint to a slow disk.
const LIMIT: Duration = Duration::from_secs(300);
/// Messages up to this size fit into the buffers of a connection, whose other end reads later.
const SMALL: usize = 1 << 14;

impl Sockets {
    fn new(rank: usize, peers: Vec<Option<TcpStream>>, limit: Duration) -> Result<Self> {
        let sockets = Self {
            rank,
            peers,
            limit,
            busy: Mutex::default(),
        };
        sockets.with_limit(limit)
    }

    /// Sets for how long nothing may come from another process, or be taken by it, before it counts as lost. Default: five
    /// minutes.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for less than a millisecond, and if the system refuses it.
    pub fn with_limit(mut self, limit: Duration) -> Result<Self> {
        let refused = |found: String| {
            let expected = "a time of at least 1 ms that the system can measure";
            OptionError::new("limit", expected, found)
        };
        if limit < Duration::from_millis(1) {
            return Err(refused(format!("{limit:?}")).into());
        }
        self.limit = limit;
        for peer in self.peers.iter().flatten() {
            let set = peer
                .set_read_timeout(Some(limit))
                .and_then(|()| peer.set_write_timeout(Some(limit)));
            set.map_err(|error| refused(format!("{limit:?} ({error})")))?;
        }
        Ok(self)
    }

    fn peer(&self, rank: usize) -> io::Result<&TcpStream> {
        let peer = self.peers.get(rank).and_then(Option::as_ref);
        peer.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The other ranks, beginning with the next one, so that not all send to one at first.
    fn others(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (rank, ranks) = (self.rank, self.peers.len());
        (1..ranks).map(move |step| (rank + step) % ranks)
    }

    fn send(&self, to: usize, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let mut peer = self.peer(to)?;
        let header = Header {
            kind,
            len: bytes.len() as u64,
        };
        if bytes.len() <= SMALL {
            return peer.write_all(&[&header.to_bytes()[..], bytes].concat());
        }
        peer.write_all(&header.to_bytes())?;
        peer.write_all(bytes)
    }

    fn send_all(&self, sent: &[&[u8]]) -> std::result::Result<(), LostRank> {
        for to in self.others() {
            self.send(to, Kind::Data, sent[to])
                .map_err(|error| self.lost(to, &error))?;
        }
        Ok(())
    }

    fn receive_all(&self, received: &mut [&mut [u8]]) -> std::result::Result<(), LostRank> {
        // Those that send here first come first.
        for from in self.others().rev() {
            self.receive(from, received[from])?;
        }
        Ok(())
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) -> std::result::Result<(), LostRank> {
        let lost = |error: io::Error| self.lost(from, &error);
        let mut peer = self.peer(from).map_err(lost)?;
        let header = Header::read(peer).map_err(lost)?;
        match header.kind {
            Kind::Data if header.len == bytes.len() as u64 => peer.read_exact(bytes).map_err(lost),
            Kind::Data => Err(LostRank {
                rank: from,
                reason: format!(
                    "it sent {} bytes where {} were expected: it does something else than this process; let all of them run \
                     the same program with the same settings, and callbacks of your own decide alike on all",
                    header.len,
                    bytes.len()
                ),
            }),
            Kind::Lost => Err(frame::read_lost(peer, header.len).map_err(lost)?),
        }
    }

    /// What to say of a rank whose connection has failed: its own words, if it has left some.
    fn lost(&self, rank: usize, error: &io::Error) -> LostRank {
        use io::ErrorKind::{TimedOut, WouldBlock};
        if matches!(error.kind(), TimedOut | WouldBlock) {
            let reason = format!("nothing came from it for {:?}", self.limit);
            return LostRank { rank, reason };
        }
        let words = || {
            let peer = self.peer(rank).ok()?;
            // Whatever it has sent is here already.
            peer.set_read_timeout(Some(Duration::from_millis(500)))
                .ok()?;
            frame::last_words(peer)
        };
        words().unwrap_or_else(|| LostRank {
            rank,
            reason: format!("its process has ended, or the network between ({error})"),
        })
    }

    /// Tells the other ranks who is lost, as far as they can be told.
    fn tell(&self, lost: &LostRank) {
        let bytes = frame::lost_bytes(lost);
        for to in self.others().filter(|to| *to != lost.rank) {
            if let Ok(peer) = self.peer(to) {
                let _ = peer.set_write_timeout(Some(Duration::from_millis(500)));
                let _ = self.send(to, Kind::Lost, &bytes);
                // What comes after the last words is an end.
                let _ = peer.shutdown(Shutdown::Write);
            }
        }
    }
}

impl Collective for Sockets {
    fn name(&self) -> String {
        "sockets".to_owned()
    }

    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.peers.len()
    }

    fn exchange(
        &self,
        sent: &[&[u8]],
        received: &mut [&mut [u8]],
    ) -> std::result::Result<(), LostRank> {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let result = if sent.iter().all(|bytes| bytes.len() <= SMALL) {
            self.send_all(sent)
                .and_then(|()| self.receive_all(received))
        } else {
            // All send at once: without reading meanwhile, full buffers would block all.
            thread::scope(|scope| {
                let sending = scope.spawn(|| self.send_all(sent));
                let got = self.receive_all(received);
                let sent = sending.join().unwrap_or(Ok(()));
                got.and(sent)
            })
        };
        if let Err(lost) = &result {
            self.tell(lost);
        }
        result
    }

    fn leave(&self, reason: &str) {
        let _busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&LostRank {
            rank: self.rank,
            reason: reason.to_owned(),
        });
    }
}
