//! Memory of prepared images. Alone in this file, since it counts what the whole process keeps.

#![allow(clippy::unwrap_used)]

use vision_data::{Image, ImageDataBunch, Stats};
use vision_kernels::buffers;

#[test]
fn images_that_are_prepared_one_by_one_leave_no_memory_behind() {
    let data = ImageDataBunch::single_from_classes(".", ["a", "b"])
        .size(160)
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap();
    let preprocessor = data.preprocessor();
    let image = Image::from_rgb8(200, 170, vec![9; 3 * 200 * 170]).unwrap();
    drop(preprocessor.prepare(&image).unwrap());
    let kept = buffers::kept();
    for _ in 0..20 {
        drop(preprocessor.prepare(&image).unwrap());
        drop(preprocessor.seen(&image).unwrap());
    }
    assert_eq!(buffers::kept(), kept);
}
