//! The form of messages: a header, then bytes.

use std::io::{self, Read};

use crate::parallel::collective::LostRank;

/// Longest reason of a lost rank that is read.
const MOST: u64 = 1 << 16;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of an exchange.
    Data,
    /// A rank is lost; nothing follows.
    Lost,
}

/// Before each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Of what follows, in bytes.
    pub(super) len: u64,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        bytes[0] = match self.kind {
            Kind::Data => b'd',
            Kind::Lost => b'l',
        };
        bytes[1..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    pub(super) fn read(mut from: impl Read) -> io::Result<Self> {
        let (mut kind, mut len) = ([0], [0; 8]);
        from.read_exact(&mut kind)?;
        from.read_exact(&mut len)?;
        Ok(Self {
            kind: match kind {
                [b'd'] => Kind::Data,
                [b'l'] => Kind::Lost,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            },
            len: u64::from_le_bytes(len),
        })
    }
}

pub(super) fn lost_bytes(lost: &LostRank) -> Vec<u8> {
    let reason: String = lost.reason.chars().take(MOST as usize / 8).collect();
    [&(lost.rank as u64).to_le_bytes()[..], reason.as_bytes()].concat()
}

/// Reads what [`lost_bytes`] has made.
pub(super) fn read_lost(from: impl Read, len: u64) -> io::Result<LostRank> {
    let mut bytes = Vec::new();
    from.take(len.min(MOST)).read_to_end(&mut bytes)?;
    let (rank, reason) = bytes
        .split_first_chunk()
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(LostRank {
        rank: u64::from_le_bytes(*rank) as usize,
        reason: String::from_utf8_lossy(reason).into_owned(),
    })
}

/// The last message of a rank that has ended, if it said why: what it sent before is passed over.
pub(super) fn last_words(mut from: impl Read) -> Option<LostRank> {
    loop {
        let header = Header::read(&mut from).ok()?;
        if header.kind == Kind::Lost {
            return read_lost(from, header.len).ok();
        }
        io::copy(
            &mut Read::by_ref(&mut from).take(header.len),
            &mut io::sink(),
        )
        .ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_rank_are_found_behind_its_data_and_damage_is_none() {
        let lost = LostRank {
            rank: 3,
            reason: "the disk is full – ✗".to_owned(),
        };
        let words = lost_bytes(&lost);
        let frame = |kind, bytes: &[u8]| {
            let len = bytes.len() as u64;
            [&Header { kind, len }.to_bytes()[..], bytes].concat()
        };
        let stream = [frame(Kind::Data, &[7; 300]), frame(Kind::Lost, &words)].concat();
        assert_eq!(last_words(&stream[..]), Some(lost));
        for len in 0..309 {
            assert_eq!(last_words(&stream[..len]), None);
        }
        assert_eq!(last_words(&[b'x'; 40][..]), None);
    }
}
