//! Processes that train together.

use std::str::FromStr;

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ProcessOptions {
    /// Which of how many processes that train together this is, from 0: 0/4. Not needed with mpirun
    #[arg(
        long,
        value_name = "N/COUNT",
        requires = "meet",
        help_heading = "Several processes"
    )]
    pub(crate) process: Option<Process>,
    /// Address at which process 0 waits for the others, the same for all: 10.0.0.7:29500
    #[arg(
        long,
        value_name = "HOST:PORT",
        requires = "process",
        help_heading = "Several processes"
    )]
    pub(crate) meet: Option<String>,
}

/// A process and their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) rank: usize,
    pub(crate) ranks: usize,
}

impl FromStr for Process {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/');
        let parsed = numbers.and_then(|(rank, ranks)| {
            Some(Self {
                rank: rank.parse().ok()?,
                ranks: ranks.parse().ok()?,
            })
        });
        parsed
            .filter(|process| process.rank < process.ranks)
            .ok_or_else(|| {
                "expected a number from 0 and how many there are, such as 0/4".to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_one_of_those_that_there_are() {
        assert_eq!("1/2".parse(), Ok(Process { rank: 1, ranks: 2 }));
        for bad in ["2/2", "1", "-1/2", "a/b", "1/2/3", "", "/", "0/0"] {
            assert!(bad.parse::<Process>().is_err(), "{bad}");
        }
    }
}
