//! Figures.

use image::RgbImage;
use vision::figure::{
    Anchor, Area, BLACK, Figure, ImageGrid, Result, Text, base64, escape, shorten, shorten_apart,
    shorten_middle, shorten_start, width,
};

use crate::support::Folder;
use crate::table::{ANY, Table};
use crate::values::{F32, USIZE, texts, writable};

fn figure() -> Figure {
    Figure::new("title", 40.0, 30.0).unwrap()
}

fn drawn(figure: &Figure) -> Result<()> {
    figure.to_svg();
    figure.to_png().map(drop)
}

fn grid() -> ImageGrid {
    ImageGrid::new()
        .with_image(RgbImage::new(3, 2), "a")
        .with_image(RgbImage::new(2, 3), "b")
}

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    t.line("Figure::new", ANY, texts(), |text| {
        Figure::new(&text, 40.0, 30.0).and_then(|f| drawn(&f))
    });
    t.line("Figure::new", "width|figure", F32, |x| {
        Figure::new("", x, 30.0).and_then(|f| drawn(&f))
    });
    t.line("Figure::new", "height|figure", F32, |x| {
        Figure::new("", 40.0, x).and_then(|f| drawn(&f))
    });
    t.line("Figure::stacked", ANY, texts(), |text| {
        Figure::stacked(&text, [figure(), figure()]).and_then(|f| drawn(&f))
    });
    t.line("Figure::stacked", "figure", [0, 1, 1000, 1_000_000], |n| {
        Figure::stacked("", (0..n).map(|_| figure())).map(drop)
    });
    t.line("Figure::with_scale", "scale", F32, |x| {
        figure().with_scale(x).and_then(|f| drawn(&f))
    });
    t.paths("Figure::save", writable(folder.path()), |path| {
        figure().save(path)
    });
    t.paths("Figure::save", writable(folder.path()), |path| {
        figure().save(path.with_extension("png"))
    });
    t.line("Figure::rect", ANY, F32, |x| {
        let mut figure = figure();
        figure.rect(x, 1.0, 2.0, 3.0, BLACK);
        figure.rect(1.0, x, 2.0, 3.0, BLACK);
        figure.rect(1.0, 1.0, x, 3.0, BLACK);
        figure.rect(1.0, 1.0, 2.0, x, BLACK);
        figure.frame(
            Area {
                x,
                y: x,
                width: x,
                height: x,
            },
            BLACK,
        );
        figure.image(
            Area {
                x,
                y: 0.0,
                width: 9.0,
                height: 9.0,
            },
            RgbImage::new(2, 2),
        );
        figure.image(
            Area {
                x: 0.0,
                y: 0.0,
                width: x,
                height: x,
            },
            RgbImage::new(2, 2),
        );
        figure.image(
            Area {
                x: 0.0,
                y: 0.0,
                width: 9.0,
                height: 9.0,
            },
            RgbImage::new(0, 0),
        );
        drawn(&figure)
    });
    t.line("Figure::line", ANY, F32, |x| {
        let mut figure = figure();
        figure.line(vec![(x, 1.0), (2.0, 3.0)], 1.0, BLACK);
        figure.line(vec![(1.0, 1.0), (2.0, x)], 1.0, BLACK);
        figure.line(vec![(1.0, 1.0), (2.0, 3.0)], x, BLACK);
        figure.line(Vec::new(), 1.0, BLACK);
        figure.line(vec![(x, x)], x, BLACK);
        drawn(&figure)
    });
    let with = |text: Text| {
        let mut figure = figure();
        figure.text(text);
        drawn(&figure)
    };
    t.line("Text::new", ANY, F32, |x| {
        with(Text::new(x, 1.0, 12.0, Anchor::Middle, "text"))
    });
    t.line("Text::new", ANY, F32, |x| {
        with(Text::new(1.0, x, 12.0, Anchor::End, "text").rotated())
    });
    t.line("Text::new", ANY, F32, |x| {
        with(Text::new(1.0, 1.0, x, Anchor::Start, "text"))
    });
    t.line("Text::new", ANY, texts(), |text| {
        with(Text::new(1.0, 1.0, 12.0, Anchor::Start, &text))
    });
    t.line("Text::fit", ANY, F32, |x| {
        with(Text::new(1.0, 1.0, 12.0, Anchor::Start, "text").fit(x))
    });
    t.line("Text::shortened", ANY, texts(), |text| {
        with(Text::new(1.0, 1.0, 12.0, Anchor::Start, "text").shortened(text.clone(), text))
    });
    t.line("width", ANY, texts(), |text| {
        width(&text, 12.0);
    });
    t.line("width", ANY, F32, |x| {
        width("text", x);
    });
    t.line("shorten", ANY, texts(), |text| {
        shorten(&text, 12.0, 100.0);
    });
    t.line("shorten", ANY, F32, |x| {
        shorten("text", x, 100.0);
        shorten("text", 12.0, x);
    });
    for function in ["shorten_start", "shorten_middle", "shorten_apart"] {
        t.line(function, ANY, texts(), |text| {
            shorten_start(&text, 12.0, 100.0);
            shorten_middle(&text, 12.0, 100.0);
            shorten_apart([(&*text, 100.0), ("text", 30.0)], 12.0);
        });
        t.line(function, ANY, F32, |x| {
            shorten_start("text", x, 100.0);
            shorten_start("text", 12.0, x);
            shorten_middle("text", x, 100.0);
            shorten_middle("text", 12.0, x);
            shorten_apart([("text", 100.0), ("test", x)], 12.0);
            shorten_apart([("text", 100.0), ("test", 30.0)], x);
        });
    }
    t.line("escape", ANY, texts(), |text| {
        escape(&text);
    });
    t.line("base64", ANY, texts(), |text| {
        base64(text.as_bytes());
    });
    t.line("ImageGrid::with_title", ANY, texts(), |text| {
        grid().with_title(text).plot()
    });
    t.line("ImageGrid::with_image", ANY, texts(), |text| {
        grid().with_image(RgbImage::new(1, 1), text).plot()
    });
    t.line(
        "ImageGrid::with_image",
        ANY,
        [(0, 0), (1, 60_000), (60_000, 1)],
        |(width, height)| {
            grid()
                .with_image(RgbImage::new(width, height), "a")
                .plot()
                .and_then(|f| drawn(&f))
        },
    );
    t.line("ImageGrid::with_cell_size", "cell_size|figure", F32, |x| {
        grid().with_cell_size(x).plot()
    });
    t.line("ImageGrid::with_columns", "columns", USIZE, |n| {
        grid().with_columns(n).plot()
    });
}
