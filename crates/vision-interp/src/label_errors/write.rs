//! Label errors as text.

use std::fmt::{self, Write as _};

use vision_base::csv;
use vision_base::message::{named, printable};

use crate::label_errors::errors::{LabelErrors, SuspectItem};

/// How many items and pairs `Display` lists.
const MOST: usize = 20;

impl LabelErrors {
    /// The items as CSV, the worst first: `item,file,given,suggested,score,given_probability,suggested_probability`.
    /// Spreadsheets take no field for a formula.
    pub fn to_csv(&self) -> String {
        let mut table = String::from(
            "item,file,given,suggested,score,given_probability,suggested_probability\n",
        );
        for item in &self.items {
            let SuspectItem {
                item,
                name,
                given,
                suggested,
                score,
                given_probability,
                suggested_probability,
            } = item;
            let [name, given, suggested] =
                [name.as_deref().unwrap_or_default(), given, suggested].map(csv::field);
            let _ = writeln!(
                table,
                "{item},{name},{given},{suggested},{score:.6},{given_probability:.6},{suggested_probability:.6}"
            );
        }
        table
    }
}

impl SuspectItem {
    /// The file, or the position of an item without a name.
    fn shown(&self) -> String {
        match &self.name {
            Some(name) => printable(name),
            None => format!("item {}", self.item),
        }
    }
}

/// The number of items, then the pairs of classes, then the first items.
impl fmt::Display for LabelErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, all) = (self.items.len(), self.scores.len());
        let percent = 100.0 * self.noise_rate;
        writeln!(
            f,
            "{found} of {all} labels are probably wrong (estimated share of wrong labels: {percent:.1} %)"
        )?;
        if found == 0 {
            return Ok(());
        }
        let names = self
            .items
            .iter()
            .flat_map(|item| [&item.given, &item.suggested]);
        let wide = names.map(|name| named(name).chars().count()).max();
        let wide = wide.unwrap_or(0).max("suggested".len());
        writeln!(
            f,
            "\n{:wide$}  {:wide$}  {:>6}  {:>9}",
            "label", "suggested", "items", "estimated"
        )?;
        let pairs = self.pairs();
        for pair in pairs.iter().take(MOST) {
            let (given, suggested) = (named(&pair.given), named(&pair.suggested));
            let (count, estimated) = (pair.count, pair.estimated);
            writeln!(
                f,
                "{given:wide$}  {suggested:wide$}  {count:>6}  {estimated:>9}"
            )?;
        }
        more(f, pairs.len())?;
        writeln!(
            f,
            "\n{:>6}  {:wide$}  {:wide$}  file",
            "score", "label", "suggested"
        )?;
        for item in self.items.iter().take(MOST) {
            let (given, suggested) = (named(&item.given), named(&item.suggested));
            let (score, file) = (item.score, item.shown());
            writeln!(f, "{score:>6.4}  {given:wide$}  {suggested:wide$}  {file}")?;
        }
        more(f, found)
    }
}

fn more(f: &mut fmt::Formatter<'_>, all: usize) -> fmt::Result {
    match all.saturating_sub(MOST) {
        0 => Ok(()),
        more => writeln!(f, "and {more} more"),
    }
}
