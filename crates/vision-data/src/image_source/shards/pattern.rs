//! Names of shards with ranges in braces, as WebDataset writes them.

use crate::error::Result;
use crate::image_source::shards::error::ShardError;

/// Shards of a pattern at most.
const MOST: usize = 1_000_000;

/// The names that a pattern stands for: `{000..999}` for numbers with as many digits, `{a,b}` for a choice.
///
/// # Errors
///
/// [`ShardError::BadPattern`].
pub(super) fn expanded(pattern: &str) -> Result<Vec<String>> {
    let bad = |found: String| ShardError::BadPattern {
        pattern: pattern.to_owned(),
        found,
    };
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (inner, after) = after
            .split_once('}')
            .ok_or_else(|| bad("a brace that is not closed".to_owned()))?;
        let choices = choices(inner, MOST / names.len()).map_err(&bad)?;
        names = names
            .iter()
            .flat_map(|name| choices.iter().map(move |c| format!("{name}{before}{c}")))
            .collect();
        rest = after;
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// What one pair of braces stands for, or what is there instead.
fn choices(inner: &str, most: usize) -> std::result::Result<Vec<String>, String> {
    let Some((first, last)) = inner.split_once("..") else {
        let choices: Vec<String> = inner.split(',').map(str::to_owned).collect();
        return match choices.len() {
            1 => Err(format!("{{{inner}}}")),
            count if count > most => Err(format!("more than {MOST} shards")),
            _ => Ok(choices),
        };
    };
    let digits = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let (Some(begin), Some(end)) = (digits(first), digits(last)) else {
        return Err(format!("{{{inner}}}"));
    };
    if end < begin {
        return Err(format!("{{{inner}}}, a range that ends before it begins"));
    }
    if end - begin >= most as u64 {
        return Err(format!("more than {MOST} shards"));
    }
    let width = first.len();
    Ok((begin..=end)
        .map(|number| format!("{number:0width$}"))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ranges_and_choices_stand_for_the_names_that_a_shell_writes() {
        for (pattern, names) in [
            ("a.tar", &["a.tar"][..]),
            (
                "https://h/s-{008..011}.tar",
                &[
                    "https://h/s-008.tar",
                    "https://h/s-009.tar",
                    "https://h/s-010.tar",
                    "https://h/s-011.tar",
                ],
            ),
            ("{a,b}/{1..2}", &["a/1", "a/2", "b/1", "b/2"]),
            ("{9..10}x", &["9x", "10x"]),
            ("a{,-b}", &["a", "a-b"]),
        ] {
            assert_eq!(expanded(pattern).unwrap(), names);
        }
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for (pattern, found) in [
            ("a{0..9", "not closed"),
            ("{}", "{}"),
            ("{a..b}", "{a..b}"),
            ("{..3}", "{..3}"),
            ("{1..}", "{1..}"),
            ("{3..1}", "ends before"),
            ("{0..99999999999999999999}", "{0..9999"),
            ("{0..18446744073709551615}", "more than"),
            ("{0..1000000}", "more than"),
            ("{0..9999}{0..9999}", "more than"),
            ("{+1..2}", "{+1..2}"),
        ] {
            let error = expanded(pattern).unwrap_err().to_string();
            assert!(error.contains(found), "{pattern}: {error}");
        }
    }
}
