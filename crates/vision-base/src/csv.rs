//! Fields of CSV files.

use std::borrow::Cow;

/// A text as a field of a CSV file (RFC 4180) that a spreadsheet does not take for a formula.
///
/// A text with a comma, a quote or a line break (`\n` or `\r`) is quoted. A text that begins with
/// `=`, `+`, `-`, `@` (or their full-width forms), a tab or a line break gets an apostrophe before it, as
/// OWASP advises against CSV injection, and is quoted; spreadsheets show such a cell as text. Numbers
/// stay numbers: `-0.5` is unchanged.
///
/// ```
/// use vision_base::csv::field;
///
/// assert_eq!(field("accuracy"), "accuracy");
/// assert_eq!(field("a,b"), "\"a,b\"");
/// assert_eq!(field("=1+1"), "\"'=1+1\"");
/// assert_eq!(field("-0.5"), "-0.5");
/// ```
pub fn field(text: &str) -> Cow<'_, str> {
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];
    let number = || text.parse::<f64>().is_ok_and(f64::is_finite);
    let armed = text.starts_with(formula) && !number();
    if !armed && !text.contains([',', '"', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let apostrophe = if armed { "'" } else { "" };
    Cow::Owned(format!("\"{apostrophe}{}\"", text.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values by RFC 4180, section 2, and OWASP's page on CSV injection.
    #[test]
    fn a_field_is_one_field_and_no_formula() {
        for (text, expected) in [
            ("", ""),
            ("accuracy", "accuracy"),
            ("two words", "two words"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\nb", "\"a\nb\""),
            ("a\rb", "\"a\rb\""),
            ("a\r\nb", "\"a\r\nb\""),
            ("=1+1", "\"'=1+1\""),
            ("+cmd", "\"'+cmd\""),
            ("-cmd", "\"'-cmd\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("＝1", "\"'＝1\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("-0.5", "-0.5"),
            ("+1e-3", "+1e-3"),
            ("-0.5=1", "\"'-0.5=1\""),
            ("-inf", "\"'-inf\""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(field(text), expected, "{text:?}");
        }
    }
}
