//! The 2 x 2 confusion matrices of several classes in a grid.

use vision_figure::{Anchor, Area, BLACK, Text, WHITE, shorten_apart, width};

use super::color::blues;
use super::confusion::{ConfusionPlotConfig, UNKNOWN, ZERO};
use super::decimals;
use crate::multi_label::BinaryMatrix;
use crate::{Error, Figure, Result};

const TITLE: f32 = 16.0;
const NAME: f32 = 12.0;
const LABEL: f32 = 11.0;
const MARGIN: f32 = 12.0;
const GAP: f32 = 18.0;

/// Draws a matrix for each class.
pub(crate) fn binary_matrices(
    matrices: &[BinaryMatrix],
    config: &ConfusionPlotConfig,
) -> Result<Figure> {
    config.check()?;
    if matrices.is_empty() {
        return Err(Error::Figure(vision_figure::Error::NothingToDraw {
            what: "there are no classes",
        }));
    }
    let labels: Vec<[[String; 2]; 2]> = matrices
        .iter()
        .map(|matrix| labels(matrix, config))
        .collect();
    let widest = labels
        .iter()
        .flatten()
        .flatten()
        .map(|label| width(label, 1.0));
    let widest = widest.fold(1.0, f32::max);
    let cell = config
        .cell_size
        .unwrap_or((12.0 * widest + 12.0).clamp(48.0, 96.0));
    let text = (0.38 * cell).min(14.0).min((cell - 8.0) / widest);
    let text = (config.text != Some(false) && text >= 6.5).then_some(text);

    let columns = (matrices.len() as f64).sqrt().ceil() as usize;
    let rows = matrices.len().div_ceil(columns);
    // "Actual" and its yes and no are left of each matrix, "Predicted" and its own below.
    let beside = 2.0 * (LABEL + 6.0);
    let side = 2.0 * cell;
    let (across, down) = (beside + side + GAP, NAME + 8.0 + side + beside + GAP);
    let top = if config.title.is_empty() {
        MARGIN
    } else {
        MARGIN + TITLE + 14.0
    };
    let wanted = 2.0 * MARGIN - GAP + columns as f32 * across;
    let total = wanted.max(width(&config.title, TITLE).min(400.0) + 2.0 * MARGIN);
    let left = (total - wanted) / 2.0 + MARGIN;
    let mut figure = Figure::new(
        &config.title,
        total,
        top + rows as f32 * down - GAP + MARGIN,
    )?;
    let title = Text::new(
        total / 2.0,
        MARGIN + TITLE / 2.0,
        TITLE,
        Anchor::Middle,
        &config.title,
    );
    figure.text(title.fit(total - 2.0 * MARGIN));

    let room = beside + side + GAP / 2.0;
    let names = shorten_apart(
        matrices.iter().map(|matrix| (matrix.class.as_str(), room)),
        NAME,
    );
    for (i, (matrix, labels)) in matrices.iter().zip(&labels).enumerate() {
        let x = left + beside + (i % columns) as f32 * across;
        let y = top + (i / columns) as f32 * down;
        // Above the matrix, or if it is wide, above the matrix and what is left of it.
        let fits = width(&names[i], NAME) <= side + GAP;
        let middle = x + side / 2.0 - if fits { 0.0 } else { beside / 2.0 };
        let name = Text::new(middle, y + NAME / 2.0, NAME, Anchor::Middle, &matrix.class);
        figure.text(name.shortened(names[i].clone(), matrix.class.clone()));
        let area = Area {
            x,
            y: y + NAME + 8.0,
            width: side,
            height: side,
        };
        figure.frame(area, BLACK);
        draw(&mut figure, area, matrix, labels, text);
    }
    Ok(figure)
}

fn labels(matrix: &BinaryMatrix, config: &ConfusionPlotConfig) -> [[String; 2]; 2] {
    matrix.rows().map(|row| {
        row.map(|count| match config.normalized {
            true => decimals(share(count, row), config.precision),
            false => count.to_string(),
        })
    })
}

/// The share of a row, NaN in a row without items.
fn share(count: u64, row: [u64; 2]) -> f64 {
    crate::scores::ratio(count, row[0] + row[1])
}

fn draw(
    figure: &mut Figure,
    area: Area,
    matrix: &BinaryMatrix,
    labels: &[[String; 2]; 2],
    text: Option<f32>,
) {
    let cell = area.width / 2.0;
    for (down, (row, labels)) in matrix.rows().into_iter().zip(labels).enumerate() {
        for (along, (count, label)) in row.into_iter().zip(labels).enumerate() {
            let (x, y) = (area.x + along as f32 * cell, area.y + down as f32 * cell);
            let share = share(count, row);
            let shade = if share.is_nan() {
                UNKNOWN
            } else {
                blues(share)
            };
            figure.rect(x, y, cell, cell, shade);
            let color = match count {
                0 => ZERO,
                _ if share > 0.5 => WHITE,
                _ => BLACK,
            };
            if let Some(size) = text {
                let (x, y) = (x + cell / 2.0, y + cell / 2.0);
                figure.text(Text::new(x, y, size, Anchor::Middle, label).color(color));
            }
        }
    }
    let (left, bottom) = (
        area.x - 4.0 - LABEL / 2.0,
        area.y + area.height + 6.0 + LABEL / 2.0,
    );
    let further = LABEL + 5.0;
    for (place, answer) in ["no", "yes"].into_iter().enumerate() {
        let along = (place as f32 + 0.5) * cell;
        figure.text(Text::new(
            area.x + along,
            bottom,
            LABEL,
            Anchor::Middle,
            answer,
        ));
        figure.text(Text::new(left, area.y + along, LABEL, Anchor::Middle, answer).rotated());
    }
    figure.text(Text::new(
        area.x + cell,
        bottom + further,
        LABEL,
        Anchor::Middle,
        "Predicted",
    ));
    figure.text(
        Text::new(
            left - further,
            area.y + cell,
            LABEL,
            Anchor::Middle,
            "Actual",
        )
        .rotated(),
    );
}
