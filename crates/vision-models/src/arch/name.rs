//! Names of architectures: parsing, printing, suggestions.

use std::fmt;
use std::str::FromStr;

use crate::arch::Arch;
use crate::init::Init;
use crate::layers::Sequential;
use crate::{Error, Result};

impl Arch {
    /// The name in torchvision, or in fastai.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Builds the whole model with the children, names and initialization of torchvision (or
    /// fastai).
    pub fn build(self, classes: usize, init: &mut Init) -> Sequential {
        (self.info().build)(classes, init)
    }
}

/// torchvision's names of networks that have timm's here. What timm calls otherwise is in the table of its weights.
const OF_TORCHVISION: [(&str, Arch); 3] = [
    ("regnet_y_400mf", Arch::RegNetY004),
    ("regnet_y_1_6gf", Arch::RegNetY016),
    ("regnet_y_3_2gf", Arch::RegNetY032),
];

impl Arch {
    fn by_other_name(name: &str) -> Option<Self> {
        let of_torchvision = OF_TORCHVISION.iter().find(|row| row.0 == name);
        of_torchvision
            .map(|row| row.1)
            .or_else(|| Self::with_timms_weights(name))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Arch {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let own = Self::ALL.iter().copied().find(|a| a.name() == name);
        let found = own.or_else(|| Self::by_other_name(name));
        found.ok_or_else(|| Error::UnknownArch {
            name: name.to_owned(),
            near: near(name),
            known: Self::ALL.iter().map(|a| a.name()).collect(),
        })
    }
}

/// Known names that differ by a typo or by spelling, nearest first.
fn near(name: &str) -> Vec<&'static str> {
    const SHOWN: usize = 3;
    // Nothing that is longer is near. Without a limit, a name of 100 KB takes ten seconds.
    const LONGEST: usize = 200;
    // "ResNet-50" and "resnet_50" mean resnet50.
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.take(LONGEST).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(name);
    let distance = |arch: &Arch| strsim::damerau_levenshtein(&wanted, &plain(arch.name()));
    let mut near: Vec<_> = Arch::ALL.iter().map(|a| (distance(a), a.name())).collect();
    near.retain(|(distance, name)| 3 * distance <= name.len());
    near.sort();
    near.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}
