//! The queue: clients take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::limits::client::Client;
use crate::limits::quota::Full;

/// Why the queue does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    Full(Full),
    /// The service ends.
    Ended,
}

/// Waiting jobs. Each client has a line of its own, and the lines are served in turn.
#[derive(Debug)]
pub(crate) struct Queue<J> {
    most: usize,
    most_each: usize,
    lines: Mutex<Lines<J>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Lines<J> {
    lines: HashMap<Client, VecDeque<J>>,
    /// Clients with a line, the next one first.
    turns: VecDeque<Client>,
    len: usize,
    ended: bool,
}

impl<J> Queue<J> {
    pub(crate) fn new(most: usize, most_each: usize) -> Self {
        Self {
            most,
            most_each,
            lines: Mutex::new(Lines {
                lines: HashMap::new(),
                turns: VecDeque::new(),
                len: 0,
                ended: false,
            }),
            arrived: Condvar::new(),
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines<J>> {
        // Nothing that holds the lock can panic.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts all jobs of a request into the line of its client, or none.
    pub(crate) fn push(&self, client: Client, jobs: Vec<J>) -> Result<(), Closed> {
        let mut state = self.lines();
        if state.ended {
            return Err(Closed::Ended);
        }
        let own = state.lines.get(&client).map_or(0, VecDeque::len);
        if state.len + jobs.len() > self.most {
            return Err(Closed::Full(Full::All));
        }
        if own + jobs.len() > self.most_each {
            return Err(Closed::Full(Full::Client));
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let more = jobs.len();
        state.len += more;
        if own == 0 {
            state.turns.push_back(client);
        }
        state.lines.entry(client).or_default().extend(jobs);
        drop(state);
        for _ in 0..more {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// The next job; waits for one. `None` at the end.
    pub(crate) fn pop(&self) -> Option<J> {
        let mut state = self.lines();
        loop {
            if let Some(job) = state.next() {
                return Some(job);
            }
            if state.ended {
                return None;
            }
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lines().len
    }

    /// Takes no more; what waits is still given out.
    pub(crate) fn end(&self) {
        self.lines().ended = true;
        self.arrived.notify_all();
    }
}

impl<J> Lines<J> {
    fn next(&mut self) -> Option<J> {
        let client = self.turns.pop_front()?;
        let line = self.lines.get_mut(&client)?;
        let job = line.pop_front();
        match line.is_empty() {
            true => drop(self.lines.remove(&client)),
            false => self.turns.push_back(client),
        }
        self.len -= usize::from(job.is_some());
        job
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn client(n: u8) -> Client {
        Client::of([10, 0, 0, n].into())
    }

    #[test]
    fn clients_take_turns_whatever_the_length_of_their_lines() {
        let queue = Queue::new(300, 250);
        queue.push(client(1), (0..200).collect()).unwrap();
        queue.push(client(2), vec![1000, 1001]).unwrap();
        queue.push(client(3), vec![2000]).unwrap();
        let first: Vec<i32> = (0..6).map(|_| queue.pop().unwrap()).collect();
        assert_eq!(first, [0, 1000, 2000, 1, 1001, 2]);
        // One who comes later waits for one job of each other client, not for all.
        queue.push(client(2), vec![1002]).unwrap();
        assert_eq!([queue.pop(), queue.pop()], [Some(3), Some(1002)]);
        assert_eq!(queue.len(), 196);
    }

    #[test]
    fn the_queue_takes_all_jobs_of_a_request_or_none() {
        let queue = Queue::new(4, 3);
        assert_eq!(
            queue.push(client(1), vec![0; 5]),
            Err(Closed::Full(Full::All))
        );
        assert_eq!(
            queue.push(client(1), vec![0; 4]),
            Err(Closed::Full(Full::Client))
        );
        queue.push(client(1), vec![1, 2, 3]).unwrap();
        queue.push(client(2), vec![4]).unwrap();
        assert_eq!(queue.push(client(2), vec![5]), Err(Closed::Full(Full::All)));
        queue.end();
        assert_eq!(queue.push(client(2), vec![5]), Err(Closed::Ended));
        let rest: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [1, 4, 2, 3]);
    }

    #[test]
    fn a_thread_that_waits_is_given_the_job_or_the_end() {
        let queue = Queue::new(4, 4);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| [queue.pop(), queue.pop()]);
            queue.push(client(1), vec![7]).unwrap();
            queue.end();
            assert_eq!(waits.join().unwrap(), [Some(7), None]);
        });
    }
}
