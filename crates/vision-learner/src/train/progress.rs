//! The table of epochs on standard output and a bar per epoch on standard error.

use std::borrow::Cow;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use vision_base::console;

use crate::Result;
use crate::train::callback::Callback;
use crate::train::context::Context;

/// Prints the table and shows the bar. The bar is hidden if standard error is not a terminal.
pub(crate) struct Progress {
    metric_names: Vec<String>,
    bar: ProgressBar,
    begin: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            metric_names: Vec::new(),
            bar: ProgressBar::hidden(),
            begin: Instant::now(),
        }
    }

    fn line(&self, cells: &[String]) {
        let row: Vec<_> = cells.iter().map(|cell| format!("{cell:<11}")).collect();
        self.bar.suspend(|| console::line(row.join(" ").trim_end()));
    }
}

impl Callback for Progress {
    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.n_epochs == 0 {
            return Ok(());
        }
        self.metric_names.clone_from(&ctx.recorder.metric_names);
        let names = ["epoch", "train_loss", "valid_loss"].map(str::to_owned);
        let mut cells = names.to_vec();
        cells.extend(self.metric_names.iter().cloned());
        cells.push("time".to_owned());
        self.line(&cells);
        Ok(())
    }

    fn on_epoch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.begin = Instant::now();
        let title = format!("epoch {}/{}", ctx.state.epoch, ctx.state.n_epochs);
        self.bar = batch_bar(title, ctx.state.batches);
        self.bar.set_position(ctx.state.num_batch as u64);
        Ok(())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let (loss, lr) = (ctx.state.smooth_loss, ctx.optimizer.lr());
        self.bar.set_message(format!("loss {loss:.4} lr {lr:.2e}"));
        Ok(())
    }

    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train {
            self.bar.inc(1);
        } else {
            self.bar.set_message("validating");
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.bar.finish_and_clear();
        let number = |value: Option<f64>| value.map_or("#na#".to_owned(), |v| format!("{v:.6}"));
        let mut cells = vec![
            ctx.state.epoch.to_string(),
            number(Some(ctx.state.smooth_loss)),
            number(ctx.state.valid_loss),
        ];
        let names = self.metric_names.iter().enumerate();
        cells.extend(names.map(|(i, name)| number(ctx.column(i, name))));
        cells.push(clock(self.begin.elapsed().as_secs()));
        self.line(&cells);
        Ok(())
    }

    fn on_train_end(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}

/// A bar over batches, hidden if standard error is not a terminal.
pub(crate) fn batch_bar(title: impl Into<Cow<'static, str>>, batches: usize) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let bar = ProgressBar::with_draw_target(Some(batches as u64), target).with_prefix(title);
    if let Ok(style) = ProgressStyle::with_template(
        "{prefix} {wide_bar} {pos}/{len} {msg} {elapsed_precise} left {eta_precise}",
    ) {
        bar.set_style(style);
    }
    bar
}

/// `MM:SS`, or `H:MM:SS` from an hour on.
fn clock(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m:02}:{s:02}")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_print_as_fastai_prints_them() {
        assert_eq!(super::clock(7), "00:07");
        assert_eq!(super::clock(605), "10:05");
        assert_eq!(super::clock(3661), "1:01:01");
    }
}
