//! Transforms and sizes, applied to an image.

use std::hint::black_box;

use vision::data::presets::{rand_pad, rand_resize_crop, zoom_crop};
use vision::data::{
    BatchTransform, Bounds, PaddingMode, Pipeline, ResizeMethod, Resizing, Result, TransformConfig,
};
use vision::prelude::*;

use crate::support::{Folder, builder, one_batch, small_image};
use crate::table::{ANY, Table};
use crate::values::{F64, U32, U64, USIZE};

fn apply(transforms: &[Transform], resizing: Resizing) -> Result<()> {
    let pipeline = Pipeline::new(transforms, resizing)?;
    for index in 0..3 {
        let images = pipeline.image(&small_image(), &pipeline.draw(1, 0, index))?;
        assert_eq!(images.shape()[1], 3);
    }
    Ok(())
}

fn one(transform: Transform) -> Result<()> {
    transform.check()?;
    apply(
        &[transform.with_p(1.0)],
        Resizing {
            size: Some(8.into()),
            ..Resizing::default()
        },
    )
}

fn all(transforms: Vec<Transform>) -> Result<()> {
    apply(&transforms, Resizing::default())
}

/// Numbers as both bounds, as the lower and as the upper one.
fn bounds(x: f64) -> [Bounds; 3] {
    [x.into(), [x, 1.0].into(), [0.0, x].into()]
}

fn bounds_u32(n: u32) -> [Bounds<u32>; 3] {
    [n.into(), [n, 1].into(), [0, n].into()]
}

fn sizes(n: usize) -> [Size; 3] {
    [n.into(), (n, 8).into(), (8, n).into()]
}

pub(crate) fn table(t: &mut Table) {
    let each = |make: fn(Bounds) -> Transform| {
        move |x: f64| bounds(x).into_iter().try_for_each(|b| one(make(b)))
    };
    t.line("Transform::crop", "size|side", USIZE, |n| {
        sizes(n)
            .into_iter()
            .try_for_each(|s| one(Transform::crop(s)))
    });
    t.line("Transform::pad", "pixels", U32, |n| {
        one(Transform::pad(n, PaddingMode::Reflection))
    });
    t.line(
        "Transform::symmetric_warp",
        "magnitude",
        F64,
        each(Transform::symmetric_warp),
    );
    t.line(
        "Transform::perspective_warp",
        "magnitude",
        F64,
        each(Transform::perspective_warp),
    );
    t.line(
        "Transform::tilt",
        "magnitude",
        F64,
        each(|b| Transform::tilt(0, b)),
    );
    t.line("Transform::tilt", "direction", U32, |n| {
        bounds_u32(n)
            .into_iter()
            .try_for_each(|b| one(Transform::tilt(b, 0.1)))
    });
    t.line(
        "Transform::skew",
        "magnitude",
        F64,
        each(|b| Transform::skew(0, b)),
    );
    t.line("Transform::skew", "direction", U32, |n| {
        bounds_u32(n)
            .into_iter()
            .try_for_each(|b| one(Transform::skew(b, 0.1)))
    });
    t.line(
        "Transform::jitter",
        "magnitude",
        F64,
        each(Transform::jitter),
    );
    t.line("Transform::rotate", "degrees", F64, each(Transform::rotate));
    t.line("Transform::zoom", "scale", F64, each(Transform::zoom));
    t.line(
        "Transform::rand_zoom",
        "scale",
        F64,
        each(Transform::rand_zoom),
    );
    t.line("Transform::squish", "scale", F64, each(Transform::squish));
    t.line(
        "Transform::brightness",
        "change",
        F64,
        each(Transform::brightness),
    );
    t.line(
        "Transform::contrast",
        "scale",
        F64,
        each(Transform::contrast),
    );
    t.line("Transform::cutout", "holes", U32, |n| {
        bounds_u32(n)
            .into_iter()
            .try_for_each(|b| one(Transform::cutout(b, 2)))
    });
    t.line("Transform::cutout", "length", U32, |n| {
        bounds_u32(n)
            .into_iter()
            .try_for_each(|b| one(Transform::cutout(1, b)))
    });
    t.line("Transform::with_p", "probability|`p`", F64, |x| {
        Transform::flip_lr().with_p(x).check()
    });
    t.line("rand_pad", "pixels", U32, |n| {
        all(rand_pad(n, 8, PaddingMode::Zeros))
    });
    t.line("rand_pad", "size|side", USIZE, |n| {
        sizes(n)
            .into_iter()
            .try_for_each(|s| all(rand_pad(1, s, PaddingMode::Border)))
    });
    t.line("zoom_crop", "scale", F64, |x| {
        bounds(x)
            .into_iter()
            .try_for_each(|b| all(zoom_crop(b, true, 1.0)))
    });
    t.line("zoom_crop", "`p`|probability", F64, |x| {
        all(zoom_crop(1.1, true, x))
    });
    t.line("rand_resize_crop", "size|side", USIZE, |n| {
        sizes(n)
            .into_iter()
            .try_for_each(|s| all(rand_resize_crop(s, 2.0, 1.0)))
    });
    t.line("rand_resize_crop", "scale", F64, |x| {
        all(rand_resize_crop(8, x, 1.0))
    });
    t.line("rand_resize_crop", "ratio|squish|scale", F64, |x| {
        bounds(x)
            .into_iter()
            .try_for_each(|b| all(rand_resize_crop(8, 2.0, b)))
    });
    let config = |make: fn(TransformConfig, f64) -> TransformConfig| {
        move |x: f64| {
            let transforms: vision::data::Transforms = make(TransformConfig::new(), x).into();
            transforms.check()?;
            apply(&transforms.train, Resizing::default())
        }
    };
    t.line(
        "TransformConfig::with_max_rotate",
        "max_rotate",
        F64,
        config(TransformConfig::with_max_rotate),
    );
    t.line(
        "TransformConfig::with_max_zoom",
        "max_zoom",
        F64,
        config(TransformConfig::with_max_zoom),
    );
    t.line(
        "TransformConfig::with_max_lighting",
        "max_lighting",
        F64,
        config(TransformConfig::with_max_lighting),
    );
    t.line(
        "TransformConfig::with_max_warp",
        "max_warp",
        F64,
        config(TransformConfig::with_max_warp),
    );
    t.line(
        "TransformConfig::with_p_affine",
        "p_affine|`p`",
        F64,
        config(TransformConfig::with_p_affine),
    );
    t.line(
        "TransformConfig::with_p_lighting",
        "p_lighting|`p`",
        F64,
        config(TransformConfig::with_p_lighting),
    );
    t.line("TransformConfig::with_xtra_tfms", ANY, [0, 1, 1000], |n| {
        let more = (0..n).map(|_| Transform::flip_lr());
        let transforms: vision::data::Transforms =
            TransformConfig::new().with_xtra_tfms(more).into();
        apply(&transforms.train, Resizing::default())
    });
    t.line("Pipeline::new", "size|side", USIZE, |n| {
        for size in sizes(n) {
            let methods = [
                ResizeMethod::Crop,
                ResizeMethod::Pad,
                ResizeMethod::Squish,
                ResizeMethod::No,
            ];
            for resize_method in methods.map(Some) {
                // Images of 16,384 pixels a side take more than 2 GiB; that is refused with the data.
                Pipeline::new(
                    &[],
                    Resizing {
                        size: Some(size),
                        resize_method,
                        ..Resizing::default()
                    },
                )?;
            }
        }
        Ok::<_, vision::data::Error>(())
    });
    t.line("Pipeline::new", "mult", USIZE, |n| {
        Pipeline::new(
            &[],
            Resizing {
                mult: Some(n),
                size: Some(8.into()),
                ..Resizing::default()
            },
        )
    });
    t.line("Pipeline::with_size", "size|side", USIZE, |n| {
        let pipeline = Pipeline::new(&[], Resizing::default())?;
        sizes(n)
            .into_iter()
            .try_for_each(|size| pipeline.with_size(size).map(drop))
    });
    t.line("Pipeline::draw", ANY, U64, |n| {
        let pipeline = Pipeline::new(&get_transforms().train, Resizing::default())?;
        pipeline.draw(n, n, n);
        pipeline.image(&small_image(), &pipeline.draw(n, 0, n))
    });

    let folder = Folder::new();
    let path = folder.digits();
    let mixed = |mix: BatchTransform| one_batch(&builder(&path).batch_transforms([mix]).build()?);
    t.line("BatchTransform::mixup", "alpha", F64, |x| {
        mixed(BatchTransform::mixup(x))
    });
    t.line("BatchTransform::cutmix", "alpha", F64, |x| {
        mixed(BatchTransform::cutmix(x))
    });
    t.line("BatchTransform::with_p", "p in", F64, |x| {
        mixed(BatchTransform::mixup(0.4).with_p(x))
    });
    t.line("TransformRng::between", ANY, F64, |x| {
        custom::draw(&path, move |rng| {
            _ = black_box((rng.between(x, 1.0), rng.between(0.0, x)))
        })
    });
    t.line("TransformRng::below", ANY, USIZE, |n| {
        custom::draw(&path, move |rng| assert!(rng.below(n) < n.max(1)))
    });
}

/// A transform of one's own, for what its random numbers take.
mod custom {
    use std::path::Path;
    use std::sync::Mutex;

    use serde::{Deserialize, Serialize};
    use vision::data::{Image, ItemTransform, Result, TransformRng};
    use vision::prelude::*;

    type Draws = Box<dyn Fn(&mut TransformRng) + Send>;

    static DRAWS: Mutex<Option<Draws>> = Mutex::new(None);

    #[derive(Debug, Serialize, Deserialize)]
    struct Own;

    impl ItemTransform for Own {
        const NAME: &'static str = "extremes_own";

        fn apply(
            &self,
            image: Image,
            rng: &mut TransformRng,
        ) -> std::result::Result<Image, Box<dyn std::error::Error + Send + Sync>> {
            if let Some(draws) = &*DRAWS.lock().map_err(|_| "poisoned")? {
                draws(rng);
            }
            Ok(image)
        }
    }

    /// A panic of a transform is an error, which must not come.
    pub(super) fn draw(path: &Path, draws: impl Fn(&mut TransformRng) + Send + 'static) {
        *DRAWS.lock().unwrap() = Some(Box::new(draws));
        let transforms = vec![Transform::custom(Own)];
        let data = crate::support::builder(path).transforms(vision::data::Transforms {
            train: transforms,
            valid: Vec::new(),
        });
        let batch: Result<()> = data
            .build()
            .and_then(|data| crate::support::one_batch(&data));
        batch.unwrap();
    }
}
