//! How processes find each other.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

use vision_base::OptionError;

use crate::parallel::sockets::{LIMIT, Sockets};
use crate::{Error, Result};

/// How a process introduces itself. The last byte is the version.
const MAGIC: [u8; 8] = *b"vision\0\x01";
/// Most processes.
const MOST: usize = 1024;
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a program that has connected may take to introduce itself. A stranger would keep all others waiting.
const HELLO: Duration = Duration::from_secs(5);

/// What a process says of itself.
#[derive(Debug)]
struct Hello {
    rank: usize,
    ranks: usize,
    /// Where those of higher ranks reach it.
    port: u16,
}

impl Hello {
    fn send(&self, mut to: &TcpStream) -> io::Result<()> {
        let numbers = [self.rank as u64, self.ranks as u64, u64::from(self.port)];
        let bytes = numbers.map(u64::to_le_bytes).concat();
        to.write_all(&[&MAGIC[..], &bytes].concat())
    }

    /// `None` if it is another program.
    fn read(mut from: &TcpStream) -> Option<Self> {
        let mut bytes = [0; 32];
        from.set_read_timeout(Some(HELLO)).ok()?;
        from.read_exact(&mut bytes).ok()?;
        let (magic, numbers) = bytes.split_first_chunk::<8>()?;
        let mut numbers = numbers
            .chunks_exact(8)
            .map(|n| u64::from_le_bytes(n.try_into().unwrap_or_default()));
        let hello = Self {
            rank: numbers.next()? as usize,
            ranks: numbers.next()? as usize,
            port: u16::try_from(numbers.next()?).ok()?,
        };
        (*magic == MAGIC).then_some(hello)
    }
}

/// A meeting that waits until a point in time.
struct Meeting<'a> {
    rank: usize,
    ranks: usize,
    address: &'a str,
    limit: Duration,
    begin: Instant,
}

impl Sockets {
    /// Connects this process, `rank` of `ranks`, with the others, which call this with the same address: one of the machine
    /// of rank 0, which listens there, such as `10.0.0.7:29500`. Waits for them for as long as `limit`.
    ///
    /// ```
    /// use std::thread;
    /// use std::time::Duration;
    /// use vision_learner::{Collective, Sockets};
    ///
    /// # let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    /// # let address = &format!("127.0.0.1:{port}");
    /// let meet = |rank| Sockets::meet(rank, 2, address, Duration::from_secs(20));
    /// thread::scope(|scope| {
    ///     // In place of another process.
    ///     let other = scope.spawn(|| meet(1));
    ///     assert_eq!(meet(0).unwrap().ranks(), 2);
    ///     assert_eq!(other.join().unwrap().unwrap().rank(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a rank that there is none of, and [`Error::Meeting`] if not all come in time, if one comes twice,
    /// or expects another number of processes.
    pub fn meet(rank: usize, ranks: usize, address: &str, limit: Duration) -> Result<Self> {
        check(rank, ranks)?;
        let meeting = Meeting {
            rank,
            ranks,
            address,
            limit,
            begin: Instant::now(),
        };
        let peers = if rank == 0 {
            meeting.host()
        } else {
            meeting.join()
        };
        Self::new(rank, peers?, LIMIT)
    }

    /// So many connected ends, in the order of their ranks, for threads of one process: to try things out.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for no rank or more than 1024, and [`Error::Meeting`] if the system refuses connections.
    pub fn local(ranks: usize) -> Result<Vec<Self>> {
        check(0, ranks)?;
        let refused = |error: io::Error| Error::Meeting {
            address: "127.0.0.1".to_owned(),
            reason: error.to_string(),
        };
        let mut all: Vec<Vec<Option<TcpStream>>> = (0..ranks)
            .map(|_| (0..ranks).map(|_| None).collect())
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let pairs = (0..ranks).flat_map(|low| (low + 1..ranks).map(move |high| (low, high)));
        for (low, high) in pairs {
            let (one, other) = loop {
                let one = TcpStream::connect(address).map_err(refused)?;
                let (other, from) = listener.accept().map_err(refused)?;
                // A stranger may have come between.
                if one.local_addr().is_ok_and(|own| own == from) {
                    break (one, other);
                }
            };
            for end in [&one, &other] {
                end.set_nodelay(true).map_err(refused)?;
            }
            (all[low][high], all[high][low]) = (Some(one), Some(other));
        }
        let ends = all.into_iter().enumerate();
        ends.map(|(rank, peers)| Self::new(rank, peers, LIMIT))
            .collect()
    }
}

fn check(rank: usize, ranks: usize) -> Result<()> {
    if rank < ranks && ranks <= MOST {
        return Ok(());
    }
    let expected = format!("one below the number of processes, of which there are at most {MOST}");
    Err(OptionError::new("rank", expected, format!("{rank} of {ranks}")).into())
}

impl Meeting<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::Meeting {
            address: self.address.to_owned(),
            reason: reason.into(),
        }
    }

    /// The part of rank 0: it waits for the others, and tells each where the others are.
    fn host(&self) -> Result<Vec<Option<TcpStream>>> {
        let listener = TcpListener::bind(self.address)
            .map_err(|error| self.error(format!("rank 0 cannot listen there: {error}")))?;
        let mut peers: Vec<Option<TcpStream>> = (0..self.ranks).map(|_| None).collect();
        let mut places = vec![String::new(); self.ranks];
        while let Some(missing) = missing(&peers, 1) {
            let (peer, from, hello) = self.accept(&listener, missing)?;
            if peers[hello.rank].is_some() {
                return Err(self.error(format!("there are two of rank {}", hello.rank)));
            }
            places[hello.rank] = SocketAddr::new(from.ip(), hello.port).to_string();
            peers[hello.rank] = Some(peer);
        }
        let list = places.join(" ");
        for (rank, peer) in peers.iter().enumerate() {
            if let Some(mut peer) = peer.as_ref() {
                let bytes = [&(list.len() as u64).to_le_bytes()[..], list.as_bytes()].concat();
                peer.write_all(&bytes)
                    .map_err(|error| self.error(format!("rank {rank} has gone: {error}")))?;
            }
        }
        Ok(peers)
    }

    /// The part of the others: they connect with those of lower ranks, and wait for those of higher ones.
    fn join(&self) -> Result<Vec<Option<TcpStream>>> {
        let main = self.connect(0, self.address)?;
        let own = main.local_addr().map_err(|e| self.error(e.to_string()))?;
        let listener = TcpListener::bind(SocketAddr::new(own.ip(), 0))
            .map_err(|error| self.error(format!("rank {} cannot listen: {error}", self.rank)))?;
        let port = listener.local_addr().map_or(0, |address| address.port());
        self.introduce(&main, 0, port)?;
        let list = self.places(&main)?;
        let places: Vec<&str> = list.split(' ').collect();
        let mut peers: Vec<Option<TcpStream>> = (0..self.ranks).map(|_| None).collect();
        for (rank, place) in places.iter().enumerate().take(self.rank).skip(1) {
            let peer = self.connect(rank, place)?;
            self.introduce(&peer, rank, port)?;
            peers[rank] = Some(peer);
        }
        peers[0] = Some(main);
        while let Some(missing) = missing(&peers, self.rank + 1) {
            let (peer, _, hello) = self.accept(&listener, missing)?;
            peers[hello.rank] = Some(peer);
        }
        Ok(peers)
    }

    fn introduce(&self, to: &TcpStream, rank: usize, port: u16) -> Result<()> {
        let hello = Hello {
            rank: self.rank,
            ranks: self.ranks,
            port,
        };
        hello
            .send(to)
            .map_err(|error| self.error(format!("rank {rank} has gone: {error}")))
    }

    /// What rank 0 says where the others are.
    fn places(&self, mut main: &TcpStream) -> Result<String> {
        let fail = |error: io::Error| {
            self.error(format!(
                "rank 0 has not said where the others are: not all have come, one came twice, or one expects another number \
                 of processes than {}; the error of rank 0 says more ({error})",
                self.ranks
            ))
        };
        let rest = self.limit.saturating_sub(self.begin.elapsed());
        let rest = rest.max(Duration::from_millis(1));
        main.set_read_timeout(Some(rest)).map_err(fail)?;
        let mut len = [0; 8];
        main.read_exact(&mut len).map_err(fail)?;
        let len = u64::from_le_bytes(len).min(64 * MOST as u64);
        let mut list = String::new();
        main.take(len).read_to_string(&mut list).map_err(fail)?;
        if list.split(' ').count() != self.ranks {
            return Err(fail(io::ErrorKind::InvalidData.into()));
        }
        Ok(list)
    }

    /// Waits for the next process.
    fn accept(
        &self,
        listener: &TcpListener,
        missing: usize,
    ) -> Result<(TcpStream, SocketAddr, Hello)> {
        let fail = |error: io::Error| self.error(format!("waiting for others: {error}"));
        listener.set_nonblocking(true).map_err(fail)?;
        loop {
            match listener.accept() {
                Ok((peer, from)) => {
                    peer.set_nonblocking(false).map_err(fail)?;
                    peer.set_nodelay(true).map_err(fail)?;
                    // A stranger is none of us.
                    let Some(hello) = Hello::read(&peer) else {
                        continue;
                    };
                    if hello.ranks != self.ranks {
                        return Err(self.error(format!(
                            "rank {} expects {} processes, and rank {} expects {}",
                            hello.rank, hello.ranks, self.rank, self.ranks
                        )));
                    }
                    if hello.rank >= self.ranks || hello.rank <= self.rank {
                        return Err(self.error(format!("there are two of rank {}", hello.rank)));
                    }
                    return Ok((peer, from, hello));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.begin.elapsed() > self.limit {
                        return Err(self.error(format!(
                            "rank {missing} has not come within {:?}",
                            self.limit
                        )));
                    }
                    sleep(PAUSE);
                }
                Err(error) => return Err(fail(error)),
            }
        }
    }

    /// Connects with a rank, which may not listen yet.
    fn connect(&self, rank: usize, place: &str) -> Result<TcpStream> {
        loop {
            let tried = place.to_socket_addrs().and_then(|mut addresses| {
                let address = addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let rest = self.limit.saturating_sub(self.begin.elapsed());
                TcpStream::connect_timeout(&address, rest.max(PAUSE))
            });
            match tried {
                Ok(peer) => {
                    let set = peer.set_nodelay(true);
                    set.map_err(|error| self.error(error.to_string()))?;
                    return Ok(peer);
                }
                Err(error) if self.begin.elapsed() > self.limit => {
                    return Err(self.error(format!(
                        "rank {rank} does not answer at {place} within {:?}: {error}",
                        self.limit
                    )));
                }
                Err(_) => sleep(PAUSE),
            }
        }
    }
}

/// The first rank from `first` on that is not connected.
fn missing(peers: &[Option<TcpStream>], first: usize) -> Option<usize> {
    (first..peers.len()).find(|rank| peers[*rank].is_none())
}
