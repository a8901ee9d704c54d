//! Learners and their options.

use std::hint::black_box;

use vision::data::Limits;
use vision::learner::{HeadConfig, PredictionRow, Ps, create_body, create_head, load_classifier};
use vision::models::Cut;
use vision::prelude::*;

use crate::support::{Folder, Tiny, data, learner, learner_of, small_image};
use crate::table::{ANY, Table};
use crate::values::{F32, F64, ISIZE, U64, USIZE, lists, readable, text_lists, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let path = folder.digits();
    let builder = || learner_of(data(&path));
    let epoch = |mut learner: Learner| learner.fit(1, 1e-3);
    t.line("LearnerBuilder::metrics", ANY, [0, 1, 1000], |n| {
        epoch(builder().metrics((0..n).map(|_| accuracy())).build()?)
    });
    t.paths("LearnerBuilder::path", writable(folder.path()), |path| {
        builder().path(path).build()?.save("name")
    });
    t.paths(
        "LearnerBuilder::model_dir",
        writable(folder.path()),
        |path| builder().model_dir(path).build()?.save("name"),
    );
    t.line("LearnerBuilder::seed", ANY, U64, |n| {
        epoch(builder().seed(n).build()?)
    });
    t.line(
        "LearnerBuilder::split_on",
        "split_on",
        text_lists(),
        |list| builder().split_on(list).build(),
    );
    t.line("LearnerBuilder::split_on", "split_on", texts(), |text| {
        builder().split_on([text]).build()
    });
    t.line("LearnerBuilder::cut", "cut", ISIZE, |n| {
        builder().cut(n).build()
    });
    t.line("LearnerBuilder::cut", "cut", [0, 1], |n| {
        builder()
            .cut(Cut::with(move |net| net.truncated(n)))
            .build()
    });
    t.line("LearnerBuilder::lin_ftrs", "lin_ftrs", USIZE, |n| {
        builder().lin_ftrs([n]).build()
    });
    t.line("LearnerBuilder::lin_ftrs", "lin_ftrs", USIZE, |n| {
        builder().lin_ftrs([n, n]).build()
    });
    t.line(
        "LearnerBuilder::lin_ftrs",
        "lin_ftrs",
        [0, 1, 50_000, 1_000_000],
        |n| builder().lin_ftrs(vec![1; n]).build(),
    );
    t.line("LearnerBuilder::ps", "ps", F64, |x| builder().ps(x).build());
    t.line("LearnerBuilder::drop_path", "drop_path", F64, |x| {
        builder().drop_path(x).build()
    });
    t.line("LearnerBuilder::ps", "ps", lists(&F64), |list| {
        builder().ps(Ps::Each(list)).build()
    });
    t.paths(
        "LearnerBuilder::pretrained",
        readable(folder.path()),
        |path| {
            create_cnn(data(&path_of(&folder)), Arch::SqueezeNet1_1)
                .silent(true)
                .pretrained(path)
                .build()
        },
    );
    t.line(
        "LearnerBuilder::pretrained",
        "http",
        ["http://", "http://h", "http://h/a.pth", "https://\0"],
        |text| {
            create_cnn(data(&path), Tiny)
                .silent(true)
                .pretrained(text)
                .build()
        },
    );
    t.paths(
        "LearnerBuilder::weights_dir",
        writable(folder.path()),
        |dir| {
            create_cnn(data(&path), Arch::SqueezeNet1_1)
                .silent(true)
                .weights_dir(dir)
                .build()
        },
    );
    let head = |config: HeadConfig| {
        create_head(config).map(|plan| plan.init(&vision::data::Device::default()))
    };
    t.line("HeadConfig::new", "features|classes|head", USIZE, |n| {
        head(HeadConfig::new(n, 2))?;
        head(HeadConfig::new(8, n))?;
        head(HeadConfig::new(n, n))
    });
    t.line("HeadConfig::with_lin_ftrs", "lin_ftrs", USIZE, |n| {
        head(HeadConfig::new(8, 2).with_lin_ftrs([n]))
    });
    t.line("HeadConfig::with_ps", "ps", F64, |x| {
        head(HeadConfig::new(8, 2).with_ps(x))
    });
    t.line("HeadConfig::with_ps", "ps", lists(&F64), |list| {
        head(HeadConfig::new(8, 2).with_ps(list))
    });
    t.line("create_body", "cut", ISIZE, |n| {
        create_body(
            Arch::SqueezeNet1_1,
            false,
            n,
            &vision::data::Device::default(),
        )
    });
    t.paths("create_body", readable(folder.path()), |path| {
        create_body(
            Arch::SqueezeNet1_1,
            path,
            Cut::Default,
            &vision::data::Device::default(),
        )
    });
    t.paths("load_classifier", readable(folder.path()), |file| {
        load_classifier(data(&path), Arch::SqueezeNet1_1, file)
            .silent(true)
            .build()
    });
    let built = learner(&path);
    t.line("Learner::predict_with_threshold", "threshold", F32, |x| {
        built.predict_with_threshold(&small_image(), x)
    });
    t.line(
        "Learner::predict_with_threshold",
        ANY,
        [(1, 1), (1, 60_000), (2, 2), (3000, 3)],
        |(width, height)| {
            let image =
                Image::from_rgb8(width, height, vec![7; (3 * width * height) as usize]).unwrap();
            let _ = built.predict(&image);
        },
    );
    let predictor = built.predictor();
    t.paths("Predictor::open_image", readable(folder.path()), |path| {
        predictor.open_image(path)
    });
    t.line("Predictor::predict_with_threshold", "threshold", F32, |x| {
        predictor.predict_with_threshold(&small_image(), x)
    });
    t.line("Predictor::predict_prepared", ANY, [0, 1, 300], |n| {
        let prepared = predictor.prepare(&small_image()).unwrap();
        let all = predictor.predict_prepared(vec![prepared; n]).into_iter();
        all.collect::<vision::learner::Result<Vec<_>>>()
    });
    t.line("RowFormat::with_top", "top", USIZE, |n| {
        let format = predictor.row_format().with_top(n)?;
        let prediction = predictor.predict(&small_image())?;
        vision::learner::Result::Ok(format.row("image", &prediction))
    });
    t.line("RowFormat::with_threshold", "threshold", F32, |x| {
        predictor.row_format().with_threshold(x)
    });
    let prediction = predictor.predict(&small_image()).unwrap();
    t.line("RowFormat::row", ANY, texts(), |text| {
        black_box(predictor.row_format().row(text, &prediction));
    });
    t.line("PredictionRow::failed", ANY, texts(), |text| {
        black_box(PredictionRow::failed(text.clone(), text));
    });
    let preprocessor = built.data().preprocessor();
    t.paths("Preprocessor::open", readable(folder.path()), |path| {
        preprocessor.open(path)
    });
    t.line("Preprocessor::decode", "bytes in memory", 0..3, |n| {
        preprocessor.decode(&[0xff; 100_000][..[0, 1, 100_000][n]])
    });
    let decode = |bytes: &[u8], limits: &Limits| {
        let width = |image: &Image| vision::data::Result::Ok(image.width());
        preprocessor.decode_with(bytes, limits, width)
    };
    t.line("Preprocessor::decode_with", "bytes in memory", 0..3, |n| {
        decode(&[0xff; 100_000][..[0, 1, 100_000][n]], &Limits::default())
    });
    t.line(
        "Preprocessor::decode_with",
        "pixels|bytes|memory",
        U64,
        |n| {
            let default = Limits::default();
            for limits in [
                Limits {
                    max_pixels: n,
                    ..default
                },
                Limits {
                    max_bytes: n,
                    ..default
                },
                Limits {
                    max_memory: n,
                    ..default
                },
            ] {
                decode(b"P3 1 1 255 9 9 9", &limits)?;
            }
            vision::data::Result::Ok(())
        },
    );
    let preprocessing = built.data().preprocessing();
    t.line("Preprocessing::preprocessor", ANY, U64, |seed| {
        preprocessing.preprocessor(seed, built.data().device())
    });
    t.line("Learner::validate_with", ANY, [0, 1, 100], |n| {
        let mut metrics: Vec<Box<dyn vision::learner::Metric>> = Vec::new();
        metrics.extend((0..n).map(|_| Box::new(accuracy()) as Box<dyn vision::learner::Metric>));
        learner(&path).validate_with(DatasetType::Valid, &mut metrics)
    });
}

fn path_of(folder: &Folder) -> std::path::PathBuf {
    folder.digits()
}
