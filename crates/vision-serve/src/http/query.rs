//! What is asked of a prediction.

use vision_learner::{Predictor, RowFormat};

use crate::refusal::Refusal;

const EXPECTED: &str = "top=NUMBER, threshold=PROBABILITY, heatmap=true|false";

/// The query of a request for predictions.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) rows: RowFormat,
    pub(super) heatmap: bool,
}

impl Query {
    pub(super) fn of(query: Option<&str>, predictor: &Predictor) -> Result<Self, Refusal> {
        let mut found = Self {
            rows: predictor.row_format(),
            heatmap: false,
        };
        let fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        for (name, value) in fields {
            let bad = |expected: String| {
                let message = format!("the option {name} of the request is wrong");
                Refusal::bad_request(message, "correct it, or leave it out").of(expected, &value)
            };
            match &*name {
                "top" => {
                    let top = value
                        .parse()
                        .map_err(|_| bad("a number from 1 on".to_owned()))?;
                    let rows = found.rows.with_top(top);
                    found.rows = rows.map_err(|error| bad(error.to_string()))?;
                }
                "threshold" => {
                    let threshold = value.parse();
                    let threshold =
                        threshold.map_err(|_| bad("a number from 0 to 1".to_owned()))?;
                    let rows = found.rows.with_threshold(threshold);
                    found.rows = rows.map_err(|error| bad(error.to_string()))?;
                }
                "heatmap" => {
                    found.heatmap = match &*value {
                        "true" | "1" | "" => true,
                        "false" | "0" => false,
                        _ => return Err(bad("true or false".to_owned())),
                    };
                }
                other => {
                    let message = "the request has an option that there is not";
                    return Err(Refusal::bad_request(message, "leave it out").of(EXPECTED, other));
                }
            }
        }
        Ok(found)
    }
}
