//! Names that print alike, or that differ by blanks or case only.

use std::collections::{BTreeMap, HashMap};

use unicode_normalization::UnicodeNormalization as _;
use vision_base::message::spelled;

/// In what two different names are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alike {
    /// They print alike: they differ by Unicode normal form, invisible characters, or letters of other
    /// alphabets that look the same.
    Print,
    /// They differ by blanks or case.
    BlanksOrCase,
}

/// Letters and signs that look like an ASCII character: the Cyrillic, Greek, Armenian and phonetic
/// letters among Unicode's confusables (UTS #39) that look the same in common fonts, dashes, and
/// apostrophes.
const LOOK: [(char, &str); 47] = [
    ('a', "аɑα"),
    ('c', "сϲ"),
    ('d', "ԁ"),
    ('e', "е"),
    ('g', "ɡ"),
    ('h', "һ"),
    ('i', "іιɩı"),
    ('j', "јϳ"),
    ('l', "ӏ"),
    ('n', "ո"),
    ('o', "оοօ"),
    ('p', "рρ"),
    ('q', "ԛ"),
    ('s', "ѕ"),
    ('u', "υս"),
    ('v', "νѵ"),
    ('w', "ԝ"),
    ('x', "х"),
    ('y', "уγ"),
    ('A', "АΑ"),
    ('B', "ВΒ"),
    ('C', "СϹ"),
    ('E', "ЕΕ"),
    ('F', "Ϝ"),
    ('G', "Ԍ"),
    ('H', "НΗ"),
    ('I', "ІΙӀ"),
    ('J', "ЈͿ"),
    ('K', "КΚ"),
    ('M', "МΜϺ"),
    ('N', "Ν"),
    ('O', "ОΟՕ"),
    ('P', "РΡ"),
    ('Q', "Ԛ"),
    ('S', "ЅՏ"),
    ('T', "ТΤ"),
    ('V', "Ѵ"),
    ('W', "Ԝ"),
    ('X', "ХΧ"),
    ('Y', "ΥҮ"),
    ('Z', "Ζ"),
    ('-', "‐‑‒–−"),
    ('\'', "’‘ʼ′"),
    ('/', "⁄∕"),
    (':', "։ː"),
    (',', "‚"),
    ('*', "∗"),
];

/// For messages that name both: what the first of the names and a known one have in common, with both
/// spelled so that they differ.
pub(crate) fn among<'a>(
    names: impl IntoIterator<Item = &'a str>,
    known: &[String],
) -> Option<String> {
    let mut by_loose: HashMap<String, &str> = HashMap::new();
    for name in known {
        by_loose.entry(loose(name)).or_insert(name);
    }
    names.into_iter().find_map(|name| {
        let other = by_loose.get(&loose(name))?;
        let words = alike(name, other)?.words();
        Some(format!("{} and {} {words}", spelled(name), spelled(other)))
    })
}

/// [`among`] as the last sentence of a message; empty if no names are alike.
pub(crate) fn note<'a>(names: impl IntoIterator<Item = &'a str>, known: &[String]) -> String {
    among(names, known).map_or_else(String::new, |alike| format!(". Note that {alike}"))
}

impl Alike {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Print => "print alike, but their characters differ",
            Self::BlanksOrCase => "differ by blanks or case only",
        }
    }
}

fn alike(a: &str, b: &str) -> Option<Alike> {
    if a == b || loose(a) != loose(b) {
        return None;
    }
    match look(a) == look(b) {
        true => Some(Alike::Print),
        false => Some(Alike::BlanksOrCase),
    }
}

/// The groups of different names that are alike, in the order of their names.
pub(crate) fn groups<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<(Alike, Vec<&'a str>)> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let group = groups.entry(loose(name)).or_default();
        if !group.contains(&name) {
            group.push(name);
        }
    }
    let several = groups.into_values().filter(|group| group.len() > 1);
    let kind = |group: Vec<&'a str>| {
        let mut looks: Vec<String> = group.iter().map(|name| look(name)).collect();
        looks.sort_unstable();
        let print = looks.windows(2).any(|pair| pair[0] == pair[1]);
        (
            if print {
                Alike::Print
            } else {
                Alike::BlanksOrCase
            },
            group,
        )
    };
    several.map(kind).collect()
}

/// A text that names which print alike have in common. ASCII characters stay as they are: `O` and `0`, or
/// `l` and `1`, are known to differ.
fn look(name: &str) -> String {
    let decomposed = name.nfd().filter(|c| !is_invisible(*c));
    let like_ascii = |c: char| match c {
        c if c.is_ascii() => c,
        c if c.is_whitespace() => ' ',
        c => LOOK
            .iter()
            .find(|(_, others)| others.contains(c))
            .map_or(c, |(ascii, _)| *ascii),
    };
    decomposed.map(like_ascii).nfc().collect()
}

/// A text that names have in common which differ by blanks or case, or print alike.
fn loose(name: &str) -> String {
    let words: Vec<String> = look(name)
        .nfkc()
        .collect::<String>()
        .split_whitespace()
        .map(folded)
        .collect();
    words.join(" ")
}

/// Without a difference of case. Upper case first, so that `ß` is `SS` and a final sigma is a sigma.
fn folded(word: &str) -> String {
    word.to_uppercase().to_lowercase().replace('ς', "σ")
}

/// Whether a character takes no room when it is printed: Unicode's Default_Ignorable_Code_Point, and
/// controls that are no blanks.
fn is_invisible(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_in_how_they_print_or_in_blanks_and_case() {
        for (a, b, expected) in [
            // Normal forms.
            ("café", "cafe\u{301}", Some(Alike::Print)),
            ("Åland", "A\u{30a}land", Some(Alike::Print)),
            ("한", "\u{1112}\u{1161}\u{11ab}", Some(Alike::Print)),
            ("\u{2126}", "\u{3a9}", Some(Alike::Print)),
            // Letters of other alphabets.
            ("cat", "с\u{430}t", Some(Alike::Print)),
            ("ΑΒΕ", "ABE", Some(Alike::Print)),
            ("САТ", "ΟΑΤ", None),
            ("café", "caf\u{435}\u{301}", Some(Alike::Print)),
            ("x-ray", "x\u{2011}ray", Some(Alike::Print)),
            // Invisible characters, other spaces.
            ("cat", "cat\u{200b}", Some(Alike::Print)),
            ("cat", "\u{feff}cat", Some(Alike::Print)),
            ("cat", "c\u{ad}at", Some(Alike::Print)),
            ("a b", "a\u{a0}b", Some(Alike::Print)),
            // Blanks and case.
            ("cat", "cat ", Some(Alike::BlanksOrCase)),
            ("cat", " cat", Some(Alike::BlanksOrCase)),
            ("a b", "a  b", Some(Alike::BlanksOrCase)),
            ("a b", "a\tb", Some(Alike::BlanksOrCase)),
            ("cat", "Cat", Some(Alike::BlanksOrCase)),
            ("Straße", "STRASSE", Some(Alike::BlanksOrCase)),
            ("ΟΔΟΣ", "οδος", Some(Alike::BlanksOrCase)),
            ("cat", "ＣＡＴ", Some(Alike::BlanksOrCase)),
            ("Café", "cafe\u{301} ", Some(Alike::BlanksOrCase)),
            // Different names.
            ("cat", "cat", None),
            ("cat", "cats", None),
            ("O", "0", None),
            ("l", "1", None),
            ("l", "I", None),
            ("rn", "m", None),
            ("ab", "a b", None),
            ("cafe", "café", None),
        ] {
            assert_eq!(alike(a, b), expected, "{a:?} and {b:?}");
            assert_eq!(alike(b, a), expected, "{b:?} and {a:?}");
        }
    }

    #[test]
    fn a_group_has_all_names_that_are_alike() {
        let names = ["dog", "café", "Cat", "cat", "cafe\u{301}", "cat ", "bird"];
        let expected = [
            (Alike::Print, vec!["café", "cafe\u{301}"]),
            (Alike::BlanksOrCase, vec!["Cat", "cat", "cat "]),
        ];
        let mut found = groups(names);
        found.sort_by_key(|(kind, _)| *kind != Alike::Print);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_hint_spells_both_names_so_that_they_differ() {
        let known = ["dog", "cafe\u{301}"].map(str::to_owned);
        let hint = among(["bird", "café"], &known);
        let expected =
            "\"caf\\u{e9}\" and \"cafe\\u{301}\" print alike, but their characters differ";
        assert_eq!(hint.as_deref(), Some(expected));
        assert_eq!(among(["dog", "bird"], &known), None);
    }
}
