//! The page of `docs` and of fastai's `vision.learner`, cell by cell, on a small set.

use vision::learner::{HeadConfig, Pretrained, create_body, create_head};
use vision::models::Cut;
use vision::prelude::*;

use crate::support;

#[test]
fn every_cell_of_the_vision_learner_page_runs() -> vision::Result<()> {
    let digits = support::digits(40, 20);
    let archive_or_folder = digits.path.to_str().unwrap();
    let path = untar_data(archive_or_folder)?;
    let data = ImageDataBunch::from_folder(&path).batch_size(16).build()?;
    let device = data.device().clone();

    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .metrics([accuracy()])
        .silent(true)
        .build()?;
    learner.fit_one_cycle(1, 1e-3)?;
    learner.fit_one_cycle(1, slice(..1e-3))?;
    learner.fit_one_cycle(1, slice(1e-5..1e-3))?;
    learner.fit_one_cycle(1, [1e-5, 1e-4, 1e-3])?;
    learner.save("one_epoch")?;

    let image = learner.data().train_ds().image(0)?;
    let prediction = learner.predict(&image)?;
    assert_eq!(prediction.probabilities.len(), 2);
    assert_eq!(prediction.class, learner.data().classes()[prediction.index]);

    let empty = ImageDataBunch::single_from_classes(&path, ["3", "7"]).build()?;
    let mut deployed = create_cnn(empty, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()?;
    deployed.load("one_epoch")?;
    assert_eq!(deployed.predict(&image)?, prediction);

    let body = create_body(Arch::ResNet18, Pretrained::No, Cut::Default, &device)?;
    assert_eq!(body.len(), 8);
    assert_eq!(
        create_body(Arch::ResNet18, false, Cut::At(-2), &device)?.len(),
        8
    );
    assert_eq!(
        create_body(Arch::ResNet18, false, Cut::with(|model| model), &device)?.len(),
        10
    );
    let head =
        create_head(HeadConfig::new(1024, 2).with_lin_ftrs([512]).with_ps(0.5))?.init(&device);
    assert_eq!(head.len(), 9);

    let interp = ClassificationInterpretation::from_learner(&learner)?;
    let top = digits.dir.path().join("top_losses.png");
    interp.plot_top_losses(9)?.save(&top)?;
    let (losses, indices) = interp.top_losses(9);
    assert_eq!((losses.len(), indices.len()), (9, 9));
    assert!(losses.windows(2).all(|pair| pair[0] >= pair[1]));
    let matrix_png = digits.dir.path().join("confusion_matrix.png");
    interp.plot_confusion_matrix()?.save(&matrix_png)?;
    let matrix = interp.confusion_matrix();
    assert_eq!(matrix.total(), 40);
    for (actual, predicted, count) in interp.most_confused(1) {
        assert!(["3", "7"].contains(&actual.as_str()) && actual != predicted && count >= 1);
    }
    for png in [top, matrix_png] {
        assert!(image::open(png).unwrap().width() > 100);
    }
    Ok(())
}
