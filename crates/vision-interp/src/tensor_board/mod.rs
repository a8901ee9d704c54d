//! Logs for TensorBoard.

mod events;

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use vision_base::{OptionError, io_error};
use vision_figure::ImageGrid;
use vision_learner::{Callback, CallbackState, Context, Error, Result};

use crate::tensor_board::events::{EventFile, Value};

/// Logs a fit for TensorBoard: `tensorboard --logdir FOLDER`.
///
/// | tag | at each |
/// |---|---|
/// | `train/loss`, `train/smooth_loss` | training batch |
/// | `hyper/lr_K`, `hyper/wd_K` for layer group K; `hyper/mom` | training batch |
/// | `valid/loss`, `valid/` and each metric | epoch; the step is that of its last batch |
/// | `valid/top_losses`, an image of the items with the largest losses | epoch |
///
/// A [resumable](vision_learner::FitConfig::resumable) fit that goes on continues its file, without a step twice.
///
/// ```no_run
/// # fn fit(learner: &mut vision_learner::Learner) -> vision_learner::Result<()> {
/// use vision_interp::TensorBoard;
/// use vision_learner::FitConfig;
/// learner.fit_with(FitConfig::one_cycle(5).with_callback(TensorBoard::new("logs/run-1")))?;
/// # Ok(())
/// # }
/// ```
#[doc(alias("LearnerTensorboardWriter", "SummaryWriter"))]
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    images: usize,
    /// Losses and positions of the validation items with the largest losses so far.
    worst: Vec<(f32, usize)>,
    place: Place,
    file: Option<EventFile>,
}

/// The file, and how much of it belongs to the steps so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: PathBuf,
    bytes: u64,
}

impl TensorBoard {
    /// A folder in the learner's [`path`](vision_learner::LearnerBuilder::path); an absolute one is used as given. Each fit
    /// writes a file of its own into it.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            images: 9,
            worst: Vec::new(),
            place: Place::default(),
            file: None,
        }
    }

    /// Sets how many items with the largest losses are shown; 0 for none. Default: 9.
    pub fn with_images(mut self, images: usize) -> Self {
        self.images = images;
        self
    }

    fn write(&mut self, step: usize, values: &[Value]) -> Result<()> {
        if self.file.is_none() {
            self.file = Some(EventFile::open(&self.place.path, self.place.bytes)?);
        }
        if let Some(file) = &mut self.file {
            file.add(step as u64, values)?;
            self.place.bytes = file.bytes();
        }
        Ok(())
    }

    /// The items with the largest losses, each with its label and loss, as PNG.
    fn picture(&self, ctx: &Context<'_>) -> Result<Option<Value>> {
        let items = ctx.data().valid_ds();
        let mut grid = ImageGrid::new().with_title("top losses: actual / loss");
        for (loss, item) in &self.worst {
            let label = items.label_text(*item).unwrap_or_default();
            let image = items.image(*item)?.into_rgb_image();
            grid = grid.with_image(image, format!("{label} / {loss:.2}"));
        }
        if self.worst.is_empty() {
            return Ok(None);
        }
        let png = grid
            .plot()
            .and_then(|figure| Ok((figure.width(), figure.height(), figure.to_png()?)));
        let (width, height, png) = png.map_err(|error| failed(error.into()))?;
        Ok(Some(Value::image(
            "valid/top_losses",
            [width as u64, height as u64],
            png,
        )))
    }
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Callback {
        name: "TensorBoard".to_owned(),
        source,
    }
}

impl Callback for TensorBoard {
    // After callbacks that change what is logged.
    fn order(&self) -> i32 {
        200
    }

    fn settings(&self) -> String {
        format!("{}, images {}", self.folder.display(), self.images)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        CallbackState::of("TensorBoard", &self.place)
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        self.place = state.read("TensorBoard")?;
        self.file = None;
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        const MOST_IMAGES: usize = 400;
        if self.images > MOST_IMAGES {
            let expected = format!("at most {MOST_IMAGES}");
            return Err(OptionError::new("images", expected, self.images).into());
        }
        let folder = ctx.path().join(&self.folder);
        fs::create_dir_all(&folder).map_err(io_error("create the folder", &folder))?;
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        // TensorBoard reads files whose names hold `tfevents`, in the order of their names.
        let name = format!(
            "events.out.tfevents.{}.{:09}.vision",
            since.as_secs(),
            since.subsec_nanos()
        );
        self.place = Place {
            path: folder.join(name),
            bytes: 0,
        };
        self.file = None;
        Ok(())
    }

    fn on_epoch_begin(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        self.worst.clear();
        Ok(())
    }

    fn on_loss_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train || self.images == 0 {
            return Ok(());
        }
        let losses = ctx.item_losses()?;
        self.worst
            .extend(losses.into_iter().zip(ctx.state.indices.iter().copied()));
        self.worst
            .sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.worst.truncate(self.images);
        Ok(())
    }

    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !ctx.state.train {
            return Ok(());
        }
        let mut values = vec![
            Value::scalar("train/loss", ctx.state.last_loss),
            Value::scalar("train/smooth_loss", ctx.state.smooth_loss),
        ];
        // The schedule has already set those of the next batch.
        let recorder = ctx.recorder();
        let rates = recorder.group_lrs.last().map_or(&[][..], Vec::as_slice);
        for (k, (group, lr)) in ctx.optimizer.groups().iter().zip(rates).enumerate() {
            values.push(Value::scalar(&format!("hyper/lr_{k}"), *lr));
            values.push(Value::scalar(&format!("hyper/wd_{k}"), group.wd));
        }
        if let Some(mom) = recorder.moms.last() {
            values.push(Value::scalar("hyper/mom", *mom));
        }
        self.write(ctx.state.iteration, &values)
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let mut values = Vec::new();
        if let Some(loss) = ctx.state.valid_loss {
            values.push(Value::scalar("valid/loss", loss));
        }
        for (name, value) in &ctx.state.last_metrics {
            values.push(Value::scalar(&format!("valid/{name}"), *value));
        }
        values.extend(self.picture(ctx)?);
        self.write(ctx.state.iteration.saturating_sub(1), &values)?;
        match &mut self.file {
            Some(file) => file.sync(),
            None => Ok(()),
        }
    }
}
