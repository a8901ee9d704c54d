//! All figures, in both formats. Their look was checked by eye; these tests check what a program
//! can see.

use image::{GenericImageView, Rgb, RgbImage};
use vision_base::OptionError;
use vision_interp::{
    ConfusionMatrix, ConfusionPlotConfig, Error, Figure, ImageGrid, LineChart, Scale,
};

use crate::support::{interpretation, texts};

const HOSTILE: [&str; 8] = [
    "<&\">",
    "]]>' onload=alert(1) '<script>",
    "猫と犬",
    "",
    "🐈\u{0}\u{1b}[31m\n\t\u{fffe}\u{202e}abc",
    "e\u{301}\u{200d}\u{feff}",
    "العربية עברית",
    "  spaces  ",
];

fn diagonal(classes: usize) -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new((0..classes).map(|class| format!("class {class}")));
    for class in 0..classes {
        for _ in 0..3 {
            matrix.add(class, class).unwrap();
        }
    }
    matrix
}

fn png_size(figure: &Figure) -> (u32, u32) {
    image::load_from_memory(&figure.to_png().unwrap())
        .unwrap()
        .dimensions()
}

#[test]
fn a_png_has_the_size_of_the_figure_times_its_scale() {
    let figure = diagonal(3).plot(&ConfusionPlotConfig::new()).unwrap();
    let (width, height) = (figure.width() as u32, figure.height() as u32);
    assert_eq!(png_size(&figure), (width, height));
    assert_eq!(figure.to_rgb_image().dimensions(), (width, height));
    let twice = figure.with_scale(2.0).unwrap();
    assert_eq!(png_size(&twice), (2 * width, 2 * height));
    // The viewer scales the SVG.
    assert!(
        twice
            .to_svg()
            .contains(&format!("width=\"{width}\" height=\"{height}\""))
    );
}

#[test]
fn a_scale_that_makes_no_sense_is_an_error() {
    let figure = || diagonal(1000).plot(&ConfusionPlotConfig::new()).unwrap();
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-9, 11.0] {
        let error = figure().with_scale(scale).unwrap_err();
        assert!(
            matches!(
                error,
                vision_figure::Error::Option(OptionError {
                    option: "scale",
                    ..
                })
            ),
            "{scale}: {error}"
        );
    }
    assert!(matches!(
        figure().with_scale(10.0),
        Err(vision_figure::Error::TooLarge { .. })
    ));
}

#[test]
fn a_confusion_matrix_shows_names_values_and_titles() {
    let matrix = ConfusionMatrix::from_rows(["three", "seven"], [[989, 21], [40, 988]]).unwrap();
    let svg = matrix.plot(&ConfusionPlotConfig::new()).unwrap().to_svg();
    let mut shown = texts(&svg, "text");
    shown.sort();
    let expected = [
        "21",
        "40",
        "988",
        "989",
        "Actual",
        "Confusion matrix",
        "Predicted",
        "seven",
        "seven",
        "three",
        "three",
    ];
    assert_eq!(shown, expected);
    // Names at the x axis, and the label of the y axis, are read from bottom to top.
    assert_eq!(svg.matches("rotate(-90 ").count(), 3);
    let title = texts(&svg, "title");
    assert_eq!(title, ["Confusion matrix"]);
}

#[test]
fn a_normalized_matrix_has_two_decimals_and_says_where_there_are_no_items() {
    let matrix = ConfusionMatrix::from_rows(["a", "b"], [[1, 2], [0, 0]]).unwrap();
    let config = ConfusionPlotConfig::new()
        .with_normalized(true)
        .with_title("Parts");
    let shown = texts(&matrix.plot(&config).unwrap().to_svg(), "text");
    assert_eq!(shown[..5], ["Parts", "0.33", "0.67", "nan", "nan"]);
    let shown = texts(
        &matrix.plot(&config.with_precision(0)).unwrap().to_svg(),
        "text",
    );
    assert_eq!(shown[1..3], ["0", "1"]);
}

#[test]
fn text_is_white_on_cells_above_half_of_the_largest_value() {
    let matrix = ConfusionMatrix::from_rows(["a", "b"], [[10, 5], [6, 0]]).unwrap();
    let svg = matrix.plot(&ConfusionPlotConfig::new()).unwrap().to_svg();
    let color = |value: &str| {
        let line = svg
            .lines()
            .find(|line| line.ends_with(&format!(">{value}</text>")))
            .unwrap();
        line.contains("fill=\"#ffffff\"")
    };
    assert_eq!(["10", "5", "6", "0"].map(color), [true, false, true, false]);
}

#[test]
fn the_number_0_is_fainter_than_others_and_a_single_mistake_darker_than_nothing() {
    let mut matrix = diagonal(40);
    for _ in 0..97 {
        matrix.add(0, 0).unwrap();
    }
    matrix.add(3, 30).unwrap();
    let figure = matrix.plot(&ConfusionPlotConfig::new()).unwrap();
    let svg = figure.to_svg();
    let numbers = |value: &str, color: &str| {
        let end = format!(">{value}</text>");
        let lines = svg
            .lines()
            .filter(|line| line.ends_with(&end) && line.contains(color));
        lines.count()
    };
    assert_eq!((numbers("0", "#b0b0b0"), numbers("0", "")), (1559, 1559));
    assert_eq!((numbers("1", "#b0b0b0"), numbers("1", "")), (0, 1));
    // Blues at 0.2 is [199, 220, 239]; nothing is [247, 251, 255].
    let image = figure.to_rgb_image();
    let visible = |pixel: &&Rgb<u8>| pixel.0[0].abs_diff(199) <= 4 && pixel.0[2].abs_diff(239) <= 4;
    assert!(image.pixels().filter(visible).count() > 100);
}

#[test]
fn no_two_rows_of_a_matrix_read_the_same() {
    let long = "Papilio machaon hippocrates subspecies ".repeat(3);
    let names = ["male", "female", "larva"].map(|end| format!("{long}{end}"));
    let middle = ["male", "female"].map(|middle| format!("{long}{middle} {long}"));
    let matrix = ConfusionMatrix::new(names.into_iter().chain(middle));
    let svg = matrix.plot(&ConfusionPlotConfig::new()).unwrap().to_svg();
    let mut shown = texts(&svg, "text");
    shown.retain(|text| text.contains('…'));
    assert_eq!(shown.len(), 10);
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 5, "{shown:?}");
}

const LINE: [u8; 3] = [0x1f, 0x77, 0xb4];

/// Pixels of the first line of a chart that another chart shows white.
fn hidden(bare: &LineChart, chart: &LineChart) -> usize {
    let (bare, chart) = (bare.plot().unwrap(), chart.plot().unwrap());
    let (bare, chart) = (bare.to_rgb_image(), chart.to_rgb_image());
    assert_eq!(bare.dimensions(), chart.dimensions());
    let line = bare
        .enumerate_pixels()
        .filter(|(_, _, pixel)| pixel.0 == LINE);
    let places: Vec<_> = line.map(|(x, y, _)| (x, y)).collect();
    assert!(places.len() > 300, "{}", places.len());
    let white = |(x, y): &&(u32, u32)| chart.get_pixel(*x, *y).0 == [255; 3];
    places.iter().filter(white).count()
}

fn curve(phase: f64) -> impl Iterator<Item = (f64, f64)> {
    let points = (0..200).map(|i| f64::from(i) / 20.0);
    points.map(move |x| (x, (x + phase).sin() / (1.0 + x)))
}

#[test]
fn names_of_markers_hide_no_line() {
    let steep = (0..100).map(|i| (f64::from(i) / 10.0, if i == 50 { 9.0 } else { 0.0 }));
    // As the learning rate finder has it.
    let falling = (0..100).map(|i| (f64::from(i), 2.0 / (1.0 + (f64::from(i - 60) / 6.0).exp())));
    for points in [
        curve(0.0).collect(),
        steep.collect(),
        falling.collect::<Vec<_>>(),
    ] {
        let chart = LineChart::new()
            .with_title("Loss")
            .with_series("loss", points.clone());
        let names = ["steepest 6.3e-07", "valley 1.2e-03", "minimum", "other"];
        let marked = |named: bool| {
            names
                .iter()
                .enumerate()
                .fold(chart.clone(), |chart, (place, name)| {
                    let (x, y) = points[20 * place + 10];
                    chart.with_marker(if named { name } else { "" }, x, y)
                })
        };
        assert_eq!(hidden(&marked(false), &marked(true)), 0);
        let shown = texts(&marked(true).plot().unwrap().to_svg(), "text");
        assert!(
            names
                .iter()
                .all(|name| shown.iter().any(|text| text == name)),
            "{shown:?}"
        );
    }
}

#[test]
fn a_legend_hides_no_line() {
    let up = |up: f64| (0..100).map(move |i| (f64::from(i), up * f64::from(i)));
    for (first, second) in [
        (curve(0.0).collect::<Vec<_>>(), curve(1.5).collect()),
        (up(1.0).collect(), up(2.0).collect::<Vec<_>>()),
        (up(-1.0).collect(), up(-2.0).collect()),
    ] {
        let chart: LineChart = LineChart::new().with_series("first", first);
        // The same axes, without a legend.
        let ends = second.iter().copied();
        let bare = ends.fold(chart.clone(), |chart, (x, y)| chart.with_marker("", x, y));
        assert_eq!(hidden(&bare, &chart.with_series("second", second)), 0);
    }
}

#[test]
fn cells_have_the_ends_of_the_color_map_for_nothing_and_for_the_most() {
    let config = ConfusionPlotConfig::new()
        .with_text(false)
        .with_color_bar(false);
    let image = diagonal(2)
        .plot(&config.with_cell_size(50.0))
        .unwrap()
        .to_rgb_image();
    let count = |color| image.pixels().filter(|pixel| pixel.0 == color).count();
    // Two cells each, of 50 x 50.
    assert_eq!((count([8, 48, 107]), count([247, 251, 255])), (5000, 5000));
}

#[test]
fn cells_carry_numbers_while_these_are_legible() {
    for (classes, numbers) in [
        (1, true),
        (2, true),
        (10, true),
        (37, true),
        (50, true),
        (51, false),
    ] {
        let shown = texts(
            &diagonal(classes)
                .plot(&ConfusionPlotConfig::new())
                .unwrap()
                .to_svg(),
            "text",
        );
        let three = shown.iter().filter(|text| *text == "3").count();
        // Without numbers, the bar explains the colors.
        assert_eq!(
            three,
            if numbers { classes } else { 1 },
            "{classes} classes"
        );
    }
    let tiny = ConfusionPlotConfig::new()
        .with_text(true)
        .with_cell_size(9.0);
    let shown = texts(&diagonal(5).plot(&tiny).unwrap().to_svg(), "text");
    // At the ends of the bar: nothing in the 25 cells, which are too small.
    for value in ["0", "3"] {
        assert_eq!(
            shown.iter().filter(|text| *text == value).count(),
            1,
            "{shown:?}"
        );
    }
}

#[test]
fn figures_of_many_classes_stay_of_a_size_that_can_be_looked_at() {
    for classes in [1, 2, 10, 37, 50, 51, 200, 1000] {
        let figure = diagonal(classes).plot(&ConfusionPlotConfig::new()).unwrap();
        assert!(
            figure.width() < 1700.0 && figure.height() < 1700.0,
            "{classes} classes"
        );
        assert!(figure.to_svg().len() < 1_000_000, "{classes} classes");
        assert_eq!(
            png_size(&figure),
            (figure.width() as u32, figure.height() as u32)
        );
        // Names do not overlap: each has the height of its text.
        let names = texts(&figure.to_svg(), "text");
        let names = names
            .iter()
            .filter(|text| text.starts_with("class "))
            .count()
            / 2;
        assert!(names <= 110, "{names} names of {classes} classes");
    }
}

#[test]
fn a_single_mistake_among_many_classes_is_visible() {
    let mut matrix = ConfusionMatrix::new((0..200).map(|class| class.to_string()));
    for class in 0..200 {
        for _ in 0..1000 {
            matrix.add(class, class).unwrap();
        }
    }
    matrix.add(3, 190).unwrap();
    let image = matrix
        .plot(&ConfusionPlotConfig::new())
        .unwrap()
        .to_rgb_image();
    // A cell is 5 x 5; Blues at 0.2 is [199, 220, 239].
    let visible = |pixel: &&Rgb<u8>| pixel.0[0].abs_diff(199) <= 2 && pixel.0[2].abs_diff(239) <= 2;
    assert!(image.pixels().filter(visible).count() >= 25);
}

#[test]
fn names_of_any_kind_make_well_formed_svg_and_a_png() {
    let long = "long ".repeat(100);
    let names: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let classes = names.len();
    let items: Vec<_> = (0..classes)
        .map(|i| (i, (i + 1) % classes, i as f32))
        .collect();
    let interp = interpretation(&names, &items);
    let title = HOSTILE.concat();
    let config = ConfusionPlotConfig::new().with_title(&title);
    let mut grid = ImageGrid::new().with_title(&title);
    let mut chart = LineChart::new()
        .with_title(&title)
        .with_x_label(&title)
        .with_y_label(&title);
    for name in &names {
        grid = grid.with_image(RgbImage::new(5, 3), *name);
        chart = chart
            .with_series(*name, [(0.0, 1.0), (1.0, 2.0)])
            .with_marker(*name, 0.5, 1.5);
    }
    for figure in [
        interp.plot_top_losses(classes).unwrap(),
        interp.plot_confusion_matrix_with(&config).unwrap(),
        grid.plot().unwrap(),
        chart.plot().unwrap(),
    ] {
        let svg = figure.to_svg();
        let shown = texts(&svg, "text");
        assert!(shown.iter().any(|text| text.contains("<&\">")), "{shown:?}");
        assert!(!svg.contains("<script"));
        assert_eq!(
            png_size(&figure),
            (figure.width() as u32, figure.height() as u32)
        );
        assert!(figure.width() < 1400.0 && figure.height() < 1400.0);
    }
}

#[test]
fn settings_of_a_matrix_that_make_no_sense_are_errors() {
    let plot = |config: ConfusionPlotConfig| diagonal(3).plot(&config).map(drop);
    for cell in [0.0, -5.0, f32::NAN, f32::INFINITY, 1e30] {
        let error = plot(ConfusionPlotConfig::new().with_cell_size(cell)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "cell_size",
                    ..
                })
            ),
            "{error}"
        );
    }
    let error = plot(ConfusionPlotConfig::new().with_precision(7)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Option(OptionError {
                option: "precision",
                ..
            })
        ),
        "{error}"
    );
    let error = plot(ConfusionPlotConfig::new().with_cell_size(9999.0)).unwrap_err();
    assert!(
        matches!(error, Error::Figure(vision_figure::Error::TooLarge { .. })),
        "{error}"
    );
    let empty = ConfusionMatrix::new(Vec::<String>::new());
    let error = empty.plot(&ConfusionPlotConfig::new()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Figure(vision_figure::Error::NothingToDraw { .. })
        ),
        "{error}"
    );
}

#[test]
fn small_images_grow_by_a_whole_factor_and_large_ones_shrink_to_the_cell() {
    let red = |width, height| RgbImage::from_pixel(width, height, Rgb([255, 0, 0]));
    let drawn = |image| {
        let image = ImageGrid::new()
            .with_image(image, "")
            .plot()
            .unwrap()
            .to_rgb_image();
        let is_red = |(_, _, pixel): &(u32, u32, &Rgb<u8>)| pixel.0 == [255, 0, 0];
        let found: Vec<_> = image.enumerate_pixels().filter(is_red).collect();
        let span =
            |values: Vec<u32>| values.iter().max().unwrap() - values.iter().min().unwrap() + 1;
        let width = span(found.iter().map(|(x, _, _)| *x).collect());
        let height = span(found.iter().map(|(_, y, _)| *y).collect());
        assert_eq!(found.len() as u32, width * height);
        (width, height)
    };
    // Cells are 168 pixels wide and high.
    assert_eq!(drawn(red(28, 28)), (168, 168));
    assert_eq!(drawn(red(32, 16)), (160, 80));
    assert_eq!(drawn(red(1, 1)), (168, 168));
    assert_eq!(drawn(red(336, 224)), (168, 112));
    assert_eq!(drawn(red(3000, 1)), (168, 1));
    assert_eq!(drawn(red(1500, 2000)), (126, 168));
}

#[test]
fn images_keep_their_pixels_when_they_grow() {
    let colors = [[10, 20, 30], [200, 100, 0], [0, 250, 0], [90, 90, 255]];
    let image = RgbImage::from_fn(2, 2, |x, y| Rgb(colors[(2 * y + x) as usize]));
    let figure = ImageGrid::new()
        .with_image(image, "")
        .with_cell_size(40.0)
        .plot()
        .unwrap();
    let drawn = figure.to_rgb_image();
    for color in colors {
        assert_eq!(
            drawn.pixels().filter(|pixel| pixel.0 == color).count(),
            20 * 20
        );
    }
}

#[test]
fn an_image_without_pixels_is_an_empty_cell() {
    let figure = ImageGrid::new()
        .with_image(RgbImage::new(0, 7), "nothing")
        .plot()
        .unwrap();
    assert!(!figure.to_svg().contains("<image"));
    figure.to_png().unwrap();
}

#[test]
fn a_grid_has_the_columns_that_were_asked_for() {
    let grid = |columns| {
        let grid = (0..6).fold(ImageGrid::new(), |grid, _| {
            grid.with_image(RgbImage::new(9, 9), "")
        });
        grid.with_columns(columns).plot()
    };
    assert!(grid(6).unwrap().width() > 1000.0);
    assert!(grid(100).unwrap().height() < 250.0);
    assert!(grid(1).unwrap().height() > 1000.0);
    assert!(matches!(
        grid(0),
        Err(vision_figure::Error::Option(OptionError {
            option: "columns",
            ..
        }))
    ));
    assert!(matches!(
        ImageGrid::new().plot(),
        Err(vision_figure::Error::NothingToDraw { .. })
    ));
}

#[test]
fn a_chart_has_its_labels_a_legend_for_several_series_and_gaps_for_nan() {
    let chart = LineChart::new()
        .with_title("Losses")
        .with_x_label("batch")
        .with_y_label("loss")
        .with_series(
            "train",
            [(0.0, 1.0), (1.0, f64::NAN), (2.0, 0.5), (3.0, 0.25)],
        );
    let lines = |svg: &str| svg.matches("stroke-width=\"1.8\"").count();
    let svg = chart.plot().unwrap().to_svg();
    let shown = texts(&svg, "text");
    assert!(
        ["Losses", "batch", "loss"]
            .iter()
            .all(|text| shown.iter().any(|t| t == text))
    );
    assert!(!shown.iter().any(|text| text == "train"));
    assert_eq!(lines(&svg), 2);
    let svg = chart
        .with_series("valid", [(3.0, 0.3)])
        .plot()
        .unwrap()
        .to_svg();
    let shown = texts(&svg, "text");
    assert!(
        ["train", "valid"]
            .iter()
            .all(|text| shown.iter().any(|t| t == text))
    );
    assert_eq!(lines(&svg), 3);
}

#[test]
fn a_logarithmic_chart_leaves_out_what_is_not_positive() {
    let points = [(0.0, 1.0), (-1.0, 1.0), (1e-5, 0.9), (1e-1, 0.4)];
    let chart = LineChart::new()
        .with_series("loss", points)
        .with_x_scale(Scale::Log);
    let shown = texts(&chart.plot().unwrap().to_svg(), "text");
    assert!(shown.iter().any(|text| text == "1e-5") && shown.iter().any(|text| text == "1e-1"));
}

#[test]
fn a_chart_without_anything_finite_is_an_error() {
    assert!(matches!(
        LineChart::new().plot(),
        Err(Error::Figure(vision_figure::Error::NothingToDraw { .. }))
    ));
    let chart = LineChart::new().with_series("loss", [(f64::NAN, 1.0), (1.0, f64::INFINITY)]);
    assert!(matches!(
        chart.plot(),
        Err(Error::Figure(vision_figure::Error::NothingToDraw { .. }))
    ));
    for size in [
        (0.0, 300.0),
        (300.0, f32::NAN),
        (1e9, 300.0),
        (300.0, 100.0),
    ] {
        let chart = LineChart::new()
            .with_series("a", [(0.0, 1.0)])
            .with_size(size.0, size.1);
        assert!(
            matches!(chart.plot(), Err(Error::Option(OptionError { .. }))),
            "{size:?}"
        );
    }
}

#[test]
fn extreme_numbers_make_a_chart_too() {
    for values in [
        [0.0, 0.0],
        [-1e300, 1e300],
        [1e-320, 2e-320],
        [f64::MIN, f64::MAX],
    ] {
        let points = [(values[0], values[1]), (values[1], values[0])];
        match LineChart::new().with_series("a", points).plot() {
            Ok(figure) => drop((texts(&figure.to_svg(), "text"), figure.to_png().unwrap())),
            // The range from f64::MIN to f64::MAX has no finite length.
            Err(error) => assert!(matches!(
                error,
                Error::Figure(vision_figure::Error::NothingToDraw { .. })
            )),
        }
    }
}

#[test]
fn of_a_thousand_classes_only_those_that_are_confused_are_shown() {
    let mut matrix = diagonal(1000);
    for (actual, predicted, count) in [(7, 900, 5), (900, 7, 4), (3, 500, 2), (20, 21, 1)] {
        for _ in 0..count {
            matrix.add(actual, predicted).unwrap();
        }
    }
    let config = ConfusionPlotConfig::new().with_confused_only(5);
    let shown = texts(&matrix.plot(&config).unwrap().to_svg(), "text");
    assert!(
        shown.contains(&"Confusion matrix (4 of 1000 classes)".to_owned()),
        "{shown:?}"
    );
    for (class, times) in [
        ("class 7", 2),
        ("class 900", 2),
        ("class 3", 2),
        ("class 500", 2),
        ("class 20", 0),
    ] {
        let found = shown.iter().filter(|text| *text == class).count();
        assert_eq!(found, times, "{class}");
    }
    // Shares are those of all items of a class: 3 are right, and 5 were taken for another class.
    let shares = config.with_normalized(true);
    let shown = texts(&matrix.plot(&shares).unwrap().to_svg(), "text");
    assert!(shown.contains(&"0.62".to_owned()), "{shown:?}");

    let error = |matrix: &ConfusionMatrix, most| {
        let config = ConfusionPlotConfig::new().with_confused_only(most);
        matrix.plot(&config).unwrap_err().to_string()
    };
    assert!(error(&diagonal(3), 2).contains("no two classes were confused"));
    assert!(error(&matrix, 1).contains("confused_only"));
}

#[test]
fn an_order_by_confusion_moves_rows_and_columns_alike() {
    let rows = [[5, 0, 3], [0, 6, 0], [2, 0, 7]];
    let matrix = ConfusionMatrix::from_rows(["a", "b", "c"], rows).unwrap();
    let config = ConfusionPlotConfig::new().with_order_by_confusion(true);
    let shown = texts(&matrix.plot(&config).unwrap().to_svg(), "text");
    // a and c, then b.
    assert_eq!(shown[1..10], ["5", "3", "0", "2", "7", "0", "0", "0", "6"]);
}

#[test]
fn stacked_figures_keep_their_shapes_below_each_other() {
    let figure = |color| {
        let mut figure = Figure::new("", 10.0, 4.0).unwrap();
        figure.rect(0.0, 0.0, 10.0, 4.0, color);
        figure
    };
    let both = Figure::stacked("both", [figure([255, 0, 0]), figure([0, 0, 255])]).unwrap();
    assert_eq!((both.width(), both.height()), (10.0, 8.0));
    let image = both.to_rgb_image();
    assert_eq!(
        (image.get_pixel(5, 1).0, image.get_pixel(5, 6).0),
        ([255, 0, 0], [0, 0, 255])
    );
    assert!(Figure::stacked("none", []).is_err());
}

#[test]
fn a_guide_is_no_series() {
    let guide = [(0.0, 0.0), (1.0, 1.0)];
    let chart = LineChart::new().with_guide(guide);
    assert!(chart.plot().unwrap_err().to_string().contains("no series"));
    // The axes reach to it, and the only series needs no legend.
    let svg = chart
        .with_series("s", [(0.5, 0.5)])
        .plot()
        .unwrap()
        .to_svg();
    let shown = texts(&svg, "text");
    assert!(
        shown.contains(&"1.0".to_owned()) && !shown.contains(&"s".to_owned()),
        "{shown:?}"
    );
}
