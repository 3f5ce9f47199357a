//! Progress of a pipeline: a line a step, with a spinner and times on a terminal and plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use veracta_lifecycle::pipeline::{StepEvent, StepState};

use crate::output::tell;

/// Shows the events of one run on the standard error.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, ProgressBar>>,
    quiet: bool,
}

impl Progress {
    /// Begins to show a run; `quiet` prints nothing, and without a terminal lines take the place of spinners.
    pub(super) fn new(quiet: bool) -> Self {
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self {
            bars,
            running: Mutex::default(),
            quiet,
        }
    }

    /// Prints a line for a step that has ended or would run; on a terminal a spinner shows one that is under way.
    pub(super) fn show(&self, event: &StepEvent) {
        if self.quiet {
            return;
        }
        let records: Vec<String> = event.records.iter().map(|idx| format!("#{idx}")).collect();
        let records = records.join(" ");
        let line = match event.state {
            StepState::Started => return self.start(&event.step),
            StepState::Progress { done, total } => return self.advance(&event.step, done, total),
            StepState::Unchanged => format!("  · {:<10} unchanged          {records}", event.step),
            StepState::Done { seconds } => {
                format!("  ✓ {:<10} {seconds:>8.2} s         {records}", event.step)
            }
            StepState::WouldRun => format!("  → {:<10} would run", event.step),
        };
        let mut running = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bar) = running.remove(&event.step) {
            bar.finish_and_clear();
        }
        match &self.bars {
            // A line that cannot be shown is not worth ending the run for.
            Some(bars) => drop(bars.println(&line)),
            None => tell(line.trim_end()),
        }
    }

    fn start(&self, step: &str) {
        let Some(bars) = &self.bars else { return };
        let style =
            ProgressStyle::with_template("  {spinner} {prefix:<10} {elapsed:>8} {wide_msg}")
                .expect("the template is valid");
        let bar = bars.add(
            ProgressBar::new_spinner()
                .with_style(style)
                .with_prefix(step.to_owned()),
        );
        bar.enable_steady_tick(Duration::from_millis(100));
        self.running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(step.to_owned(), bar);
    }

    fn advance(&self, step: &str, done: usize, total: usize) {
        if let Some(bar) = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(step)
        {
            bar.set_message(format!("{done} of {total} models"));
        }
    }
}
