//! Shortening texts to a room. The advance of a character says how much room it takes.

use std::collections::HashMap;

const ELLIPSIS: char = '…';
/// Less than the error that adding advances makes: the room is often the width of the text itself.
const TOLERANCE: f32 = 0.01;

/// The text, or as much of its beginning as fits into `room` together with an ellipsis.
pub fn end(text: &str, room: f32, advance: impl Fn(char) -> f32) -> String {
    if fits(text, room, &advance) {
        return text.to_owned();
    }
    let start = &text[..beginning(text, room - advance(ELLIPSIS), &advance)];
    format!("{}{ELLIPSIS}", start.trim_end())
}

/// The text, or an ellipsis and as much of its end as fits: for paths, whose end says most.
pub fn start(text: &str, room: f32, advance: impl Fn(char) -> f32) -> String {
    if fits(text, room, &advance) {
        return text.to_owned();
    }
    let end = &text[ending(text, room - advance(ELLIPSIS), &advance)..];
    format!("{ELLIPSIS}{}", end.trim_start())
}

/// The text, or as much of its beginning and its end as fits, with an ellipsis between.
pub fn middle(text: &str, room: f32, advance: impl Fn(char) -> f32) -> String {
    if fits(text, room, &advance) {
        return text.to_owned();
    }
    let half = (room - advance(ELLIPSIS)) / 2.0;
    let start = beginning(text, half, &advance);
    let end = ending(text, half, &advance).max(start);
    format!(
        "{}{ELLIPSIS}{}",
        text[..start].trim_end(),
        text[end..].trim_start()
    )
}

/// Shortens names, each to its own room, so that no two different names read the same.
///
/// A name loses its end; if it then reads as another, its middle; if it still does, what both have in
/// common. What cannot be told apart in its room gets the number of its place, from 1.
pub fn apart<'a>(
    names: impl IntoIterator<Item = (&'a str, f32)>,
    advance: impl Fn(char) -> f32,
) -> Vec<String> {
    let names: Vec<(&str, f32)> = names.into_iter().collect();
    let cut = |(name, room): &(&str, f32)| end(name, *room, &advance);
    let mut short: Vec<String> = names.iter().map(cut).collect();
    for way in [in_the_middle, differing, numbered] {
        let same = same(&names, &short);
        if same.is_empty() {
            break;
        }
        for group in same {
            let members: Vec<&str> = group.iter().map(|place| names[*place].0).collect();
            let common = common_start(&members);
            for place in group {
                let (name, room) = names[place];
                short[place] = way(name, room, &advance, common, place);
            }
        }
    }
    short
}

/// The groups of different names that read the same, as places in the list.
fn same(names: &[(&str, f32)], short: &[String]) -> Vec<Vec<usize>> {
    let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, short) in short.iter().enumerate() {
        groups.entry(short).or_default().push(place);
    }
    let differ = |group: &Vec<usize>| {
        group
            .iter()
            .any(|place| names[*place].0 != names[group[0]].0)
    };
    groups.into_values().filter(differ).collect()
}

type Advance<'a> = &'a dyn Fn(char) -> f32;

fn in_the_middle(name: &str, room: f32, advance: Advance<'_>, _: usize, _: usize) -> String {
    middle(name, room, advance)
}

fn differing(name: &str, room: f32, advance: Advance<'_>, common: usize, _place: usize) -> String {
    if fits(name, room, advance) {
        return name.to_owned();
    }
    end(&format!("{ELLIPSIS}{}", &name[common..]), room, advance)
}

fn numbered(name: &str, room: f32, advance: Advance<'_>, _common: usize, place: usize) -> String {
    let number = format!("{}: ", place + 1);
    let left = room - number.chars().map(advance).sum::<f32>();
    format!("{number}{}", end(name, left, advance))
}

/// The length in bytes of what all names begin with.
fn common_start(names: &[&str]) -> usize {
    let (first, others) = names.split_first().expect("a group has members");
    let shared = |at: usize, c: char| others.iter().all(|name| name[at..].starts_with(c));
    let differ = first.char_indices().find(|(at, c)| !shared(*at, *c));
    differ.map_or(first.len(), |(at, _)| at)
}

fn fits(text: &str, room: f32, advance: impl Fn(char) -> f32) -> bool {
    beginning(text, room, advance) == text.len()
}

/// The length in bytes of the beginning that fits.
fn beginning(text: &str, room: f32, advance: impl Fn(char) -> f32) -> usize {
    let mut used = 0.0;
    let beyond = |c: char| {
        used += advance(c);
        used > room + TOLERANCE
    };
    text.find(beyond).unwrap_or(text.len())
}

/// Where the end that fits begins, in bytes.
fn ending(text: &str, room: f32, advance: impl Fn(char) -> f32) -> usize {
    let mut used = 0.0;
    let beyond = |(_, c): &(usize, char)| {
        used += advance(*c);
        used > room + TOLERANCE
    };
    let last = text.char_indices().rev().find(beyond);
    last.map_or(0, |(at, c)| at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(_: char) -> f32 {
        1.0
    }

    fn apart_in(names: &[&str], room: f32) -> Vec<String> {
        apart(names.iter().map(|name| (*name, room)), one)
    }

    #[test]
    fn a_text_that_fits_stays_and_another_loses_an_end() {
        assert_eq!(end("abcdef", 6.0, one), "abcdef");
        assert_eq!(end("abcdef", 5.0, one), "abcd…");
        assert_eq!(end("ab cdef", 4.0, one), "ab…");
        assert_eq!(start("abcdef", 5.0, one), "…cdef");
        assert_eq!(middle("abcdef", 5.0, one), "ab…ef");
        assert_eq!(middle("abcdef", 6.0, one), "abcdef");
        assert_eq!(start("a/b/éé", 3.0, one), "…éé");
        for room in [0.0, -1.0] {
            assert_eq!(
                (end("ab", room, one), start("ab", room, one)),
                ("…".into(), "…".into())
            );
        }
        assert_eq!(end("", 0.0, one), "");
    }

    #[test]
    fn different_names_never_read_the_same() {
        let long = "Papilio machaon ".repeat(10);
        let end_differs = [format!("{long}male"), format!("{long}female")];
        let middle_differs = [format!("{long}male{long}"), format!("{long}female{long}")];
        let far_apart = [
            format!("{long}a{long}a{long}"),
            format!("{long}a{long}b{long}"),
            format!("{long}b{long}a{long}"),
        ];
        for names in [&end_differs[..], &middle_differs, &far_apart] {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for room in [8.0, 12.0, 20.0, 40.0] {
                let mut short = apart_in(&names, room);
                let fit = |name: &String| name.chars().count() as f32 <= room;
                assert!(short.iter().all(fit), "{room}: {short:?}");
                short.sort();
                short.dedup();
                assert_eq!(short.len(), names.len(), "{room}: {short:?}");
            }
        }
    }

    #[test]
    fn what_differs_is_shown() {
        assert_eq!(apart_in(&["cat", "dog"], 9.0), ["cat", "dog"]);
        assert_eq!(
            apart_in(&["long name 1", "long name 2", "x"], 7.0),
            ["lon…e 1", "lon…e 2", "x"]
        );
        let names = [
            "the same start A the same end",
            "the same start B the same end",
        ];
        assert_eq!(apart_in(&names, 7.0), ["…A the…", "…B the…"]);
        // Equal names are equal.
        assert_eq!(apart_in(&["abcdefgh", "abcdefgh"], 4.0), ["abc…", "abc…"]);
    }
}
